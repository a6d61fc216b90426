"""How much waits in the webhook inbox and since when, and whether there is room.

For `doctor`, the check and `webhooks status`. What does not belong here: taking it out (`inbox_ingest`), refusing what
does not fit (`webhooks.keeper`).
"""

from dataclasses import dataclass
from datetime import timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import InboxSize, StateStore

# A running daemon takes them within seconds, a `refresh` of cron's within its period.
PATIENCE = timedelta(hours=1)
_NEARLY = 0.8


@dataclass(frozen=True)
class InboxRoom:
    """What waits, of how many bytes that may."""

    size: InboxSize
    most_bytes: int

    @property
    def is_full(self) -> bool:
        return self.size.waiting_bytes >= self.most_bytes

    @property
    def needs_attention(self) -> bool:
        """Whether it is nearly full, or the oldest has waited for longer than it takes where somebody takes them."""
        since = self.size.since
        is_late = since is not None and clock.real_now() - since > PATIENCE
        return is_late or self.size.waiting_bytes >= _NEARLY * self.most_bytes

    @property
    def sentence(self) -> str:
        """How many, how much, since when."""
        if not self.size.waiting or self.size.since is None:
            return f"nothing waits (room for {_megabytes(self.most_bytes)})"
        return (
            f"{counted(self.size.waiting, 'delivery waits', 'deliveries wait')} since {self.size.since:%Y-%m-%d %H:%M} "
            f"UTC, {_megabytes(self.size.waiting_bytes)} of {_megabytes(self.most_bytes)}"
            f"{': it is full, and the vendor is told 503' if self.is_full else ''}"
        )

    @property
    def advice(self) -> str:
        """What to do when it needs attention."""
        return (
            "Start the daemon (`fullscript-pipeline ui`, or the services) or run `fullscript-pipeline refresh`; "
            "`webhooks inbox list` says why some stay, and FULLSCRIPT_WEBHOOK_INBOX_MB how much may wait."
        )


def measure_inbox(settings: Settings, store: StateStore) -> InboxRoom:
    """The inbox as it is now."""
    return InboxRoom(store.inbox_size(), settings.webhook_inbox_bytes)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
