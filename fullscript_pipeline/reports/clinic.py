"""The clinic's call list: one row per patient, the most urgent first, and a list per practitioner.

What does not belong here: anything about a patient that is not in the row.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from fullscript_pipeline.reports import formatting, status_texts
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import CallListRow, full_name
from fullscript_pipeline.reports.status_texts import VERDICTS, Verdict
from fullscript_pipeline.reports.store import file_id
from fullscript_pipeline.reports.templating import render

ARCHIVED = Verdict("archived", 99, "Archived in Fullscript", "□", status_texts.DARK, "Nothing to do", ("", ""))


@dataclass(frozen=True, slots=True)
class CallListEntry:
    """A patient's row in the call list. `group` is the verdict of the most urgent product."""

    file: str
    name: str
    practitioner_ids: frozenset[str]
    practitioner: str
    group: Verdict
    summary: str
    action: str
    product: str
    run_out_on: date | None
    not_ordered: int


@dataclass(frozen=True, slots=True)
class PatientList:
    """A list of patients and the names of its pages. `up` is the path from its folder to the clinic's folder."""

    title: str
    up: str
    stem: str
    entries: Sequence[CallListEntry]

    def href(self, page: int) -> str:
        """The file name of a page, relative to its own folder."""
        if self.stem == "index":
            return "index.html" if page == 1 else f"page-{page}.html"
        return f"{self.stem}.html" if page == 1 else f"{self.stem}-page-{page}.html"


@dataclass(frozen=True, slots=True)
class Group:
    """The patients of one verdict on one page. `total`: on all pages; `begins_here`: on no earlier page."""

    verdict: Verdict
    entries: Sequence[CallListEntry]
    total: int
    begins_here: bool


def build_call_list(rows: Iterable[CallListRow], context: PageContext) -> list[CallListEntry]:
    """One entry per patient, most urgent first; within a group by run-out date."""
    files = [list(patient_rows) for _, patient_rows in groupby(rows, key=lambda row: row.patient_id)]
    names = Counter(_name(patient_rows[0]) for patient_rows in files)
    people = [_entry(patient_rows, context, namesakes=names[_name(patient_rows[0])] > 1) for patient_rows in files]
    people.sort(key=lambda entry: (entry.group.rank, entry.run_out_on or date.max, entry.name, entry.file))
    return people


def render_pages(
    patient_list: PatientList, context: PageContext, *, unlisted: int, clinic_nav: Sequence[tuple[str, str]]
) -> Iterator[str]:
    """The list's pages as HTML, at least one. `clinic_nav`: pairs of path in the clinic's folder and practitioner."""
    size = context.policy.patients_per_page
    people = patient_list.entries
    total = max(1, -(-len(people) // size))
    counts = [(verdict, len(list(entries))) for verdict, entries in groupby(people, key=lambda entry: entry.group)]
    first_pages = _first_pages(people, size)
    numbers = {verdict.key: amount for verdict, amount in counts}
    not_ordered = [entry.not_ordered for entry in people if entry.not_ordered]
    for page in range(1, total + 1):
        shown = people[(page - 1) * size : page * size]
        groups = [
            Group(verdict, list(entries), numbers[verdict.key], first_pages[verdict.key] == page)
            for verdict, entries in groupby(shown, key=lambda entry: entry.group)
        ]
        yield render(
            "clinic.html.j2",
            context.language,
            context=context,
            patient_list=patient_list,
            page=page,
            pages=total,
            groups=groups,
            counts=[(verdict, amount, _anchor(patient_list, verdict, first_pages, page)) for verdict, amount in counts],
            not_ordered=(sum(not_ordered), len(not_ordered)),
            unlisted=unlisted,
            nav=clinic_nav,
        )


def lists_by_practitioner(people: Sequence[CallListEntry], context: PageContext) -> dict[str, PatientList]:
    """A list for each practitioner of the plans shown: by practitioner id, ordered by name."""
    idents = sorted(
        {ident for entry in people for ident in entry.practitioner_ids},
        key=lambda ident: (context.practitioners.get(ident, ""), ident),
    )
    return {
        ident: PatientList(
            context.practitioners.get(ident, "Unnamed practitioner"),
            "../",
            file_id(ident),
            [entry for entry in people if ident in entry.practitioner_ids],
        )
        for ident in idents
    }


def _name(row: CallListRow) -> str:
    return formatting.shorten(full_name(row.first_name, row.last_name) or "Unnamed patient", 60)


def _entry(rows: list[CallListRow], context: PageContext, *, namesakes: bool) -> CallListEntry:
    first = rows[0]
    judged = [(status_texts.verdict(row.status, row.days_late, row.due_in_days, context.policy), row) for row in rows]
    judged.sort(key=lambda pair: (pair[0].rank, pair[1].run_out_on or date.max, pair[1].product_name or ""))
    worst, urgent = judged[0]
    alike = sum(verdict == worst for verdict, _ in judged)
    idents = frozenset(row.practitioner_id for row in rows if row.practitioner_id)
    names = [context.practitioners.get(ident, "Unnamed practitioner") for ident in sorted(idents)]
    return CallListEntry(
        file=file_id(first.patient_id),
        name=_name(first)
        + (f", born {formatting.day(first.date_of_birth)}" if namesakes and first.date_of_birth else ""),
        practitioner_ids=idents,
        practitioner=formatting.shorten(", ".join(names[:2]) + (f" +{len(names) - 2}" if len(names) > 2 else ""), 50),
        group=ARCHIVED if first.archived else worst,
        summary=status_texts.describe_patient(verdict for verdict, _ in judged),
        action=worst.action,
        product=formatting.shorten(urgent.product_name or "product not named", 40)
        + (f" +{alike - 1}" if alike > 1 else ""),
        run_out_on=urgent.run_out_on,
        not_ordered=0 if first.archived else sum(verdict == VERDICTS["never"] for verdict, _ in judged),
    )


def _first_pages(people: Sequence[CallListEntry], size: int) -> dict[str, int]:
    """The number of the page on which each group begins, by the verdict's key."""
    first_pages: dict[str, int] = {}
    for place, entry in enumerate(people):
        first_pages.setdefault(entry.group.key, place // size + 1)
    return first_pages


def _anchor(patient_list: PatientList, verdict: Verdict, first_pages: dict[str, int], page: int) -> str:
    first_page = first_pages[verdict.key]
    return f"#{verdict.key}" if first_page == page else f"{patient_list.href(first_page)}#{verdict.key}"
