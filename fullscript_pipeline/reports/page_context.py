"""What all pages written together share: the clinic, the day, the language, the age of the data, the thresholds.

What does not belong here: anything about one patient or one product.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import ENGLISH, PageLanguage
from fullscript_pipeline.reports.page_queries import PageClinic
from fullscript_pipeline.reports.thresholds import ReportPolicy

# The nouns that readers of the pages know, by table.
_NOUNS = {"patients": "patient", "treatment_plans": "treatment plan", "orders": "order"}
_LISTS = {"treatment_plans": "plans", "patients": "patients", "orders": "orders", "lab_orders": "lab orders"}
_LINES = {"recommendations": "recommendation", "order_line_items": "order line"}


@dataclass(frozen=True, slots=True)
class PageContext:
    """What all pages written together share.

    `last_pull_at`: None if no pull ever succeeded. `held_rows`: by table, how many rows the vendor's lists no longer
    have, too many at once to mark as removed. `quarantined`: by table, how many records could not be typed and are
    not shown. `access_refused`: the tables that the app may not read (any more), and until when it could; None: it
    never could. `contact`: whether e-mail addresses and mobile numbers are shown. `narrowed`: the tables that are
    read by a user who sees less than the user before, and until when they were read in full.
    """

    clinic: PageClinic
    practitioners: dict[str, str]
    as_of: date
    rendered_at: datetime
    last_pull_at: datetime | None
    zone: ZoneInfo
    policy: ReportPolicy
    language: PageLanguage = ENGLISH
    labs: bool = False
    contact: bool = False
    held_rows: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    access_refused: Mapping[str, datetime | None] = field(default_factory=dict)
    narrowed: Mapping[str, datetime | None] = field(default_factory=dict)

    @property
    def stale_sentence(self) -> str | None:
        """The banner if the data is older than the policy allows, otherwise None."""
        if self.last_pull_at is None:
            return "No successful pull is recorded for this clinic: these figures may be out of date."
        if self.rendered_at - self.last_pull_at <= self.policy.stale_after:
            return None
        return (
            f"The last successful pull was on {formatting.moment(self.last_pull_at, self.zone)}; "
            f"this page was made on {formatting.moment(self.rendered_at, self.zone)}. Later orders are not in it."
        )

    @property
    def access_refused_sentence(self) -> str | None:
        """The banner if the app may not read some of the tables behind the figures, otherwise None."""
        tables = [
            f"{_NOUNS[table]}s {f'since {formatting.moment(until, self.zone)}' if until else 'at all'}"
            for table, until in self.access_refused.items()
        ]
        if not tables:
            return None
        return (
            f"Fullscript does not let this app read {' and '.join(tables)}: what they would tell is not in these "
            "figures. Whoever runs the pipeline can see why (`doctor`)."
        )

    @property
    def narrowed_sentence(self) -> str | None:
        """The banner if a list is read by a user, or with permissions, that see less than before, otherwise None."""
        narrowed = [(name, self.narrowed[table]) for table, name in _LISTS.items() if table in self.narrowed]
        days = [
            f"on {formatting.day(at.astimezone(self.zone).date())}" if at else "by an earlier user"
            for _, at in narrowed
        ]
        parts = [f"{name} last read in full {day}" for (name, _), day in zip(narrowed, days, strict=True)]
        if not parts:
            return None
        lists = ", ".join(parts)
        return (
            f"{lists[0].upper()}{lists[1:]}: since then by a user or with permissions that see less. "
            "What is new may be missing here, and what is gone may still be shown. "
            "Whoever runs the pipeline can see why (`doctor`)."
        )

    @property
    def held_rows_sentence(self) -> str | None:
        """The banner if removals are held, so that some rows shown may no longer exist, otherwise None."""
        counts = [counted(self.held_rows[table], noun) for table, noun in _NOUNS.items() if self.held_rows.get(table)]
        if not counts:
            return None
        return (
            f"Fullscript's last lists lacked {' and '.join(counts)} that were there before: too many at once to be "
            "believed, so they are still shown here. A later day's pull settles it."
        )

    @property
    def quarantined_sentence(self) -> str | None:
        """The banner if records behind the figures are in quarantine, otherwise None."""
        nouns = _NOUNS | _LINES
        counts = [
            counted(self.quarantined[table], noun) for table, noun in nouns.items() if self.quarantined.get(table)
        ]
        if not counts:
            return None
        return (
            "Not in these figures, because Fullscript sent them in a form that could not be read: "
            f"{', '.join(counts)}. Whoever runs the pipeline can see why (`quarantine list`)."
        )

    @property
    def past(self) -> bool:
        """Whether the page shows an earlier day than the one it was written on."""
        return self.as_of < self.rendered_at.astimezone(self.zone).date()

    @property
    def last_pull_text(self) -> str:
        """When the last pull succeeded, with time zone; `never` if none did."""
        return formatting.moment(self.last_pull_at, self.zone) if self.last_pull_at else "never"

    @property
    def rendered_text(self) -> str:
        """When the page was written, with time zone."""
        return formatting.moment(self.rendered_at, self.zone)
