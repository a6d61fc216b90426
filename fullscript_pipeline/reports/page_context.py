"""What all pages of one writing share: whose they are, of which day, how fresh, with which thresholds.

What does not belong here: anything about one patient or one product.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.page_queries import Clinic
from fullscript_pipeline.reports.thresholds import ReportPolicy

# What a reader of the pages knows, by table.
_NOUNS = {"patients": "patient", "treatment_plans": "treatment plan", "orders": "order"}
_LISTS = {"treatment_plans": "plans", "patients": "patients", "orders": "orders", "lab_orders": "lab orders"}
_LINES = {"recommendations": "recommendation", "order_line_items": "order line"}


@dataclass(frozen=True, slots=True)
class Setting:
    """What all pages of one writing share.

    `last_pull_at` is None when no pull ever succeeded. `held_rows`: by table, how many rows the vendor's lists have no
    more, too many at once to be believed. `set_aside`: by table, how many records came in a shape that could not be
    read, and are not shown. `unreadable`: the tables that the app may not read (any more), and until when
    it could; None: it never could. `narrowed`: the tables that are read by somebody who sees less than before, and
    until when they were read in full.
    """

    clinic: Clinic
    practitioners: dict[str, str]
    as_of: date
    rendered_at: datetime
    last_pull_at: datetime | None
    zone: ZoneInfo
    policy: ReportPolicy
    labs: bool = False
    held_rows: Mapping[str, int] = field(default_factory=dict)
    set_aside: Mapping[str, int] = field(default_factory=dict)
    unreadable: Mapping[str, datetime | None] = field(default_factory=dict)
    narrowed: Mapping[str, datetime | None] = field(default_factory=dict)

    @property
    def stale(self) -> str | None:
        """The banner's sentence when the data is older than the policy allows; None when it is fresh."""
        if self.last_pull_at is None:
            return "No successful pull is recorded for this clinic: these figures may be out of date."
        if self.rendered_at - self.last_pull_at <= self.policy.stale_after:
            return None
        return (
            f"The last successful pull was on {formatting.moment(self.last_pull_at, self.zone)}; "
            f"this page was made on {formatting.moment(self.rendered_at, self.zone)}. Later orders are not in it."
        )

    @property
    def unreadable_sentence(self) -> str | None:
        """The banner's sentence when some of what the figures stand on may not be read."""
        told = [
            f"{_NOUNS[table]}s {f'since {formatting.moment(until, self.zone)}' if until else 'at all'}"
            for table, until in self.unreadable.items()
        ]
        if not told:
            return None
        return (
            f"Fullscript does not let this app read {' and '.join(told)}: what they would tell is not in these "
            "figures. Whoever runs the pipeline can see why (`doctor`)."
        )

    @property
    def narrowed_sentence(self) -> str | None:
        """The banner's sentence when a list is read by a user, or with permissions, that see less than before."""
        narrowed = [(name, self.narrowed[table]) for table, name in _LISTS.items() if table in self.narrowed]
        days = [
            f"on {formatting.day(at.astimezone(self.zone).date())}" if at else "by an earlier user"
            for _, at in narrowed
        ]
        parts = [f"{name} last read in full {day}" for (name, _), day in zip(narrowed, days, strict=True)]
        if not parts:
            return None
        told = ", ".join(parts)
        return (
            f"{told[0].upper()}{told[1:]}: since then by a user or with permissions that see less. What is new may be "
            "missing here, and what is gone may still be shown. Whoever runs the pipeline can see why (`doctor`)."
        )

    @property
    def unsettled(self) -> str | None:
        """The banner's sentence when it is open whether some of what is shown is still there."""
        told = [counted(self.held_rows[table], noun) for table, noun in _NOUNS.items() if self.held_rows.get(table)]
        if not told:
            return None
        return (
            f"Fullscript's last lists lacked {' and '.join(told)} that were there before: too many at once to be "
            "believed, so they are still shown here. A later day's pull settles it."
        )

    @property
    def lacking(self) -> str | None:
        """The banner's sentence when records that the figures should stand on could not be read."""
        nouns = _NOUNS | _LINES
        told = [counted(self.set_aside[table], noun) for table, noun in nouns.items() if self.set_aside.get(table)]
        if not told:
            return None
        return (
            f"Not in these figures, because Fullscript sent them in a form that could not be read: {', '.join(told)}. "
            "Whoever runs the pipeline can see why (`quarantine list`)."
        )

    @property
    def past(self) -> bool:
        """Whether the page tells of an earlier day than the one it was made on."""
        return self.as_of < self.rendered_at.astimezone(self.zone).date()

    @property
    def pulled(self) -> str:
        """The last successful pull, absolute."""
        return formatting.moment(self.last_pull_at, self.zone) if self.last_pull_at else "never"

    @property
    def made(self) -> str:
        """When the page was made, absolute."""
        return formatting.moment(self.rendered_at, self.zone)
