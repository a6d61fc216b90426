"""What all pages written together share: the clinic, the day, the language, the age of the data, the thresholds.

What does not belong here: anything about one patient or one product.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import page_queries
from fullscript_pipeline.reports.language import (
    ENGLISH,
    PageLanguage,
    page_language,
    translatable,
    translatable_plural,
)
from fullscript_pipeline.reports.page_queries import PageClinic
from fullscript_pipeline.reports.thresholds import ReportPolicy

# The lists behind the pages in the words of their readers, by table.
_COUNTED = {
    "patients": translatable_plural("%(num)s patient", "%(num)s patients"),
    "treatment_plans": translatable_plural("%(num)s treatment plan", "%(num)s treatment plans"),
    "orders": translatable_plural("%(num)s order", "%(num)s orders"),
    "recommendations": translatable_plural("%(num)s recommendation", "%(num)s recommendations"),
    "order_line_items": translatable_plural("%(num)s order line", "%(num)s order lines"),
}
_LISTED = ("patients", "treatment_plans", "orders")
_REFUSED = {
    "patients": (translatable("patients since %(moment)s"), translatable("patients at all")),
    "treatment_plans": (translatable("treatment plans since %(moment)s"), translatable("treatment plans at all")),
    "orders": (translatable("orders since %(moment)s"), translatable("orders at all")),
}
_NARROWED = {
    "treatment_plans": (
        translatable("plans (last read in full on %(day)s)"),
        translatable("plans (last read in full by an earlier user)"),
    ),
    "patients": (
        translatable("patients (last read in full on %(day)s)"),
        translatable("patients (last read in full by an earlier user)"),
    ),
    "orders": (
        translatable("orders (last read in full on %(day)s)"),
        translatable("orders (last read in full by an earlier user)"),
    ),
    "lab_orders": (
        translatable("lab orders (last read in full on %(day)s)"),
        translatable("lab orders (last read in full by an earlier user)"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class PageNotes:
    """What pages say of rows that are missing or may be wrong.

    `held_rows`: by table, how many rows the vendor's lists no longer have, too many at once to mark as removed.
    `quarantined`: by table, how many records could not be typed and are not shown. `access_refused`: the tables that
    the app may not read (any more), and until when it could; None: it never could. `narrowed`: the tables that are
    read by a user who sees less than the user before, and until when they were read in full.
    """

    held_rows: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    access_refused: Mapping[str, datetime | None] = field(default_factory=dict)
    narrowed: Mapping[str, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """What all pages written together share.

    `last_pull_at`: None if no pull ever succeeded. `contact`: whether e-mail addresses and mobile numbers are shown.
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
    notes: PageNotes = PageNotes()

    @cached_property
    def stale_sentence(self) -> str | None:
        """The banner if the data is older than the policy allows, otherwise None."""
        if self.last_pull_at is None:
            return self.language.gettext(
                "No successful pull is recorded for this clinic: these figures may be out of date."
            )
        if self.rendered_at - self.last_pull_at <= self.policy.stale_after:
            return None
        return self.language.gettext(
            "The last successful pull was on %(pulled)s; this page was made on %(made)s. Later orders are not in it.",
            pulled=self.last_pull_text,
            made=self.rendered_text,
        )

    @cached_property
    def access_refused_sentence(self) -> str | None:
        """The banner if the app may not read some of the tables behind the figures, otherwise None."""
        gettext = self.language.gettext
        lists = [
            gettext(_REFUSED[table][0], moment=self._zoned(until)) if until else gettext(_REFUSED[table][1])
            for table, until in self.notes.access_refused.items()
        ]
        if not lists:
            return None
        return gettext(
            "Fullscript does not let this app read %(lists)s: what they would tell is not in these figures. "
            "Whoever runs the pipeline can see why (`doctor`).",
            lists=self.language.enumerate(lists),
        )

    @cached_property
    def narrowed_sentence(self) -> str | None:
        """The banner if a list is read by a user, or with permissions, that see less than before, otherwise None."""
        gettext = self.language.gettext
        lists = [
            gettext(dated, day=self.language.day(at.astimezone(self.zone).date())) if at else gettext(undated)
            for table, (dated, undated) in _NARROWED.items()
            if table in self.notes.narrowed
            for at in [self.notes.narrowed[table]]
        ]
        if not lists:
            return None
        return gettext(
            "Now read by a user or with permissions that see less: %(lists)s. What is new may be missing here, and "
            "what is gone may still be shown. Whoever runs the pipeline can see why (`doctor`).",
            lists=self.language.enumerate(lists),
        )

    @cached_property
    def held_rows_sentence(self) -> str | None:
        """The banner if removals are held, so that some rows shown may no longer exist, otherwise None."""
        counts = self._counts(self.notes.held_rows, _LISTED)
        if not counts:
            return None
        return self.language.gettext(
            "Fullscript's last lists lacked %(counts)s that were there before: too many at once to be believed, so "
            "they are still shown here. A later day's pull settles it.",
            counts=counts,
        )

    @cached_property
    def quarantined_sentence(self) -> str | None:
        """The banner if records behind the figures are in quarantine, otherwise None."""
        counts = self._counts(self.notes.quarantined, _COUNTED)
        if not counts:
            return None
        return self.language.gettext(
            "Not in these figures, because Fullscript sent them in a form that could not be read: %(counts)s. "
            "Whoever runs the pipeline can see why (`quarantine list`).",
            counts=counts,
        )

    @cached_property
    def past(self) -> bool:
        """Whether the page shows an earlier day than the one it was written on."""
        return self.as_of < self.rendered_at.astimezone(self.zone).date()

    @cached_property
    def data_as_of(self) -> str:
        """Until when the data reaches: the last successful pull, at most the end of the page's day."""
        if self.past or self.last_pull_at is None:
            return self.language.gettext("the end of %(day)s", day=self.language.day(self.as_of))
        return self.language.moment(self.last_pull_at, self.zone)

    @cached_property
    def last_pull_text(self) -> str:
        """When the last pull succeeded, with time zone; `never` if none did."""
        return self._zoned(self.last_pull_at) if self.last_pull_at else self.language.gettext("never")

    @cached_property
    def rendered_text(self) -> str:
        """When the page was written, with time zone."""
        return self._zoned(self.rendered_at)

    def _zoned(self, instant: datetime) -> str:
        return self.language.moment_with_zone(instant, self.zone)

    def _counts(self, rows: Mapping[str, int], tables: Iterable[str]) -> str:
        """`12 patients and 1 order`; an empty text if there are none."""
        counts = [self.language.ngettext(*_COUNTED[table], rows[table]) for table in tables if rows.get(table)]
        return self.language.enumerate(counts) if counts else ""


def load_page_context(
    con: duckdb.DuckDBPyConnection,
    *,
    clinic_id: str,
    as_of: date,
    rendered_at: datetime,
    time_zone: ZoneInfo,
    last_pull_at: datetime | None,
    notes: PageNotes | None = None,
    shows_contact: bool = False,
    language: str = "en",
    policy: ReportPolicy | None = None,
) -> PageContext:
    """`as_of` means through the end of that day.

    Raises UsageError for a clinic that is not in the warehouse, and for a language without a catalogue.
    """
    clinic = page_queries.load_clinic(con, clinic_id)
    if clinic is None:
        raise UsageError(
            f"Clinic {clinic_id} is not in the warehouse, so it has no pages; pull it first, or choose another."
        )
    return PageContext(
        clinic=clinic,
        practitioners=page_queries.load_practitioner_names(con, clinic_id),
        as_of=as_of,
        rendered_at=rendered_at,
        last_pull_at=last_pull_at,
        zone=time_zone,
        policy=policy or ReportPolicy(),
        language=page_language(language),
        labs=page_queries.has_labs(con, clinic_id),
        contact=shows_contact,
        notes=notes or PageNotes(),
    )
