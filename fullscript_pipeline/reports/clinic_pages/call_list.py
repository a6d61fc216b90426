"""Who is on the clinic's call list and why, who is set aside, and who is new on it or off it since last Monday.

On the list is whoever has a product that ran out or was not ordered; the one who waits longest comes first. What does
not belong here: the words (`next_steps`), what a page shows of it (`list_pages`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import duckdb

from fullscript_pipeline.reports.clinic_pages.next_steps import days_text, next_step, step_without_stock
from fullscript_pipeline.reports.clinic_pages.roster import JudgedProduct, RosterPatient
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.row_reading import read_rows
from fullscript_pipeline.reports.status_texts import Verdict

# The verdicts of the call list: as the mart and as the pages name them.
_LISTED = {"long_gap": "long", "late": "late", "just_ran_out": "ranout", "never_ordered": "never"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientSnooze:
    """A patient is set aside until the day on which they are on the list again."""

    until: date
    note: str | None


class _FormerList(NamedTuple):
    """Who was on the call list at the end of a day; `known_since`: None where no day was recorded."""

    patient_ids: list[str]
    known_since: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallListEntry:
    """A patient's row: the product to talk about, how many others are on the list too, since when, and what to do.

    `also_short`: which of the others cannot be had.
    """

    patient: RosterPatient
    verdict: Verdict
    days: int
    days_text: str
    product: str
    others: int
    step: str
    also_short: Sequence[JudgedProduct]
    snooze: PatientSnooze | None
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChanges:
    """Since the end of `monday`: how many are new on the list, and who came off it."""

    monday: date
    new: int
    gone: Sequence[RosterPatient]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallList:
    """`entries`: whom to talk to, in order; `snoozed`: who is set aside; `changes`: None where no Monday is known."""

    entries: Sequence[CallListEntry]
    snoozed: Sequence[CallListEntry]
    changes: ListChanges | None

    def of_practitioner(self, practitioner_id: str) -> "CallList":
        """The part of the list that is of one practitioner's patients."""
        mine = [entry for entry in self.entries if practitioner_id in entry.patient.practitioner_ids]
        set_aside = [entry for entry in self.snoozed if practitioner_id in entry.patient.practitioner_ids]
        if self.changes is None:
            return CallList(entries=mine, snoozed=set_aside, changes=None)
        new = sum(entry.is_new for entry in (*mine, *set_aside))
        gone = [patient for patient in self.changes.gone if practitioner_id in patient.practitioner_ids]
        return CallList(
            entries=mine, snoozed=set_aside, changes=ListChanges(monday=self.changes.monday, new=new, gone=gone)
        )


def build_call_list(
    con: duckdb.DuckDBPyConnection,
    roster: Sequence[RosterPatient],
    context: PageContext,
    snoozes: Mapping[str, PatientSnooze],
) -> CallList:
    """The list as of the context's day; `snoozes`: by patient."""
    monday = last_monday(context.as_of)
    before = _listed_on(con, context.clinic.clinic_id, monday)
    found = [_entry(patient, context, snoozes, before) for patient in roster]
    entries = sorted((entry for entry in found if entry), key=lambda entry: (-entry.days, entry.patient.order))
    changes = None
    if before is not None:
        listed = {entry.patient.patient_id for entry in entries}
        off = before - listed
        gone = [patient for patient in roster if patient.patient_id in off and not patient.archived]
        changes = ListChanges(monday=monday, new=sum(entry.is_new for entry in entries), gone=gone)
    return CallList(
        entries=[entry for entry in entries if not entry.snooze],
        snoozed=[entry for entry in entries if entry.snooze],
        changes=changes,
    )


def _listed_on(con: duckdb.DuckDBPyConnection, clinic_id: str, day: date) -> frozenset[str] | None:
    """Ids of those who were on the list at the end of `day`; None where that day was not recorded."""
    values = {"clinic": clinic_id, "day": day, "verdicts": list(_LISTED)}
    former = read_rows(con, "clinic_list_on.sql", _FormerList, values)[0]
    is_known = former.known_since is not None and former.known_since <= day
    return frozenset(former.patient_ids) if is_known else None


def last_monday(day: date) -> date:
    """The last Monday before the day; on a Monday the one a week ago."""
    return day - timedelta(days=day.weekday() or 7)


def _entry(
    patient: RosterPatient,
    context: PageContext,
    snoozes: Mapping[str, PatientSnooze],
    before: frozenset[str] | None,
) -> CallListEntry | None:
    listed = [product for product in patient.products if product.verdict.key in _LISTED.values()]
    if patient.archived or not listed:
        return None
    product, language = listed[0], context.language
    days = _days(product, context.as_of)
    return CallListEntry(
        patient=patient,
        verdict=product.verdict,
        days=days,
        days_text=days_text(product.verdict.key, days, language),
        product=product.name or language.gettext("Product not named by Fullscript"),
        others=len(listed) - 1,
        step=step_without_stock(product.shortage, language)
        if product.shortage
        else next_step(product.verdict.key, product.row, language),
        also_short=[other for other in listed[1:] if other.shortage],
        snooze=snoozes.get(patient.patient_id),
        is_new=before is not None and patient.patient_id not in before,
    )


def _days(product: JudgedProduct, as_of: date) -> int:
    """Days late, or days since the product was recommended; today counts."""
    if product.verdict.key != "never":
        return product.row.days_late or 0
    return (as_of - product.row.window_start).days + 1 if product.row.window_start else 0
