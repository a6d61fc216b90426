"""How much waits in the webhook inbox and since when, and whether there is room.

For `doctor`, the check and `webhooks status`. What does not belong here: emptying it (`inbox_ingest`), refusing what
does not fit (`webhooks.keeper`).
"""

from dataclasses import dataclass
from datetime import timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import InboxSize, StateStore

# A running daemon ingests them within seconds, a `refresh` from cron within its period.
PATIENCE = timedelta(hours=1)
_NEARLY = 0.8


@dataclass(frozen=True, kw_only=True)
class InboxRoom:
    """How much waits, and how much may."""

    size: InboxSize
    most_bytes: int

    @property
    def is_full(self) -> bool:
        return self.size.waiting_bytes >= self.most_bytes

    @property
    def needs_attention(self) -> bool:
        """Whether it is nearly full, or the oldest delivery has waited for more than an hour."""
        since = self.size.since
        is_late = since is not None and clock.real_now() - since > PATIENCE
        return is_late or self.size.waiting_bytes >= _NEARLY * self.most_bytes

    @property
    def sentence(self) -> str:
        """Says how many deliveries wait, how large they are, and since when."""
        if not self.size.waiting or self.size.since is None:
            return f"nothing waits (room for {_megabytes(self.most_bytes)})"
        return (
            f"{counted(self.size.waiting, 'delivery waits', 'deliveries wait')} since {self.size.since:%Y-%m-%d %H:%M} "
            f"UTC, {_megabytes(self.size.waiting_bytes)} of {_megabytes(self.most_bytes)}"
            f"{': it is full, and the vendor gets 503' if self.is_full else ''}"
        )

    @property
    def advice(self) -> str:
        """Says what to do when it needs attention."""
        return (
            "Start the daemon (`fullscript-pipeline ui`, or the services) or run `fullscript-pipeline refresh`; "
            "`webhooks inbox list` says why some stay, and FULLSCRIPT_WEBHOOK_INBOX_MB how much may wait."
        )


def measure_inbox(settings: Settings, store: StateStore) -> InboxRoom:
    """Measures the inbox as it is now."""
    return InboxRoom(size=store.inbox.size(), most_bytes=settings.webhook_inbox_bytes)


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB"
