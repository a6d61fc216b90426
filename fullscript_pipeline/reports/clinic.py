"""The clinic's list: who to talk to first, one row per patient, with a list per practitioner.

What does not belong here: anything about a single patient beyond the row's words.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from fullscript_pipeline.reports import formatting, status_texts
from fullscript_pipeline.reports.page_context import Setting
from fullscript_pipeline.reports.page_queries import OutlookRow, full_name
from fullscript_pipeline.reports.status_texts import VERDICTS, Verdict
from fullscript_pipeline.reports.store import file_id
from fullscript_pipeline.reports.templating import render

ARCHIVED = Verdict("archived", 99, "Archived in Fullscript", "□", status_texts.DARK, "Nothing to do", ("", ""))


@dataclass(frozen=True, slots=True)
class Outlook:
    """A patient in one row. `group` is the verdict of the most urgent product."""

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
class Listing:
    """Which patients a list shows, and where its pages are. `up` leads from its folder to the clinic's."""

    title: str
    up: str
    stem: str
    people: Sequence[Outlook]

    def href(self, page: int) -> str:
        """The file name of a page, relative to its own folder."""
        if self.stem == "index":
            return "index.html" if page == 1 else f"page-{page}.html"
        return f"{self.stem}.html" if page == 1 else f"{self.stem}-page-{page}.html"


@dataclass(frozen=True, slots=True)
class Group:
    """Patients of one verdict on one page; `first` when the group begins here."""

    verdict: Verdict
    people: Sequence[Outlook]
    total: int
    first: bool


def outlooks(rows: Iterable[OutlookRow], setting: Setting) -> list[Outlook]:
    """One entry per patient, most urgent first; within a group the earliest run-out first."""
    files = [list(own) for _, own in groupby(rows, key=lambda row: row.patient_id)]
    names = Counter(_name(own[0]) for own in files)
    people = [_outlook(own, setting, namesakes=names[_name(own[0])] > 1) for own in files]
    people.sort(key=lambda one: (one.group.rank, one.run_out_on or date.max, one.name, one.file))
    return people


def pages(listing: Listing, setting: Setting, *, unlisted: int, clinic_nav: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The list's pages as HTML, at least one. `clinic_nav`: (address from the clinic's folder, practitioner)."""
    size = setting.policy.patients_per_page
    people = listing.people
    total = max(1, -(-len(people) // size))
    counts = [(verdict, len(list(own))) for verdict, own in groupby(people, key=lambda one: one.group)]
    homes = _homes(people, size)
    numbers = {verdict.key: amount for verdict, amount in counts}
    not_ordered = [one.not_ordered for one in people if one.not_ordered]
    for page in range(1, total + 1):
        shown = people[(page - 1) * size : page * size]
        groups = [
            Group(verdict, list(own), numbers[verdict.key], homes[verdict.key] == page)
            for verdict, own in groupby(shown, key=lambda one: one.group)
        ]
        yield render(
            "clinic.html.j2",
            setting=setting,
            listing=listing,
            page=page,
            pages=total,
            groups=groups,
            counts=[(verdict, amount, _anchor(listing, verdict, homes, page)) for verdict, amount in counts],
            not_ordered=(sum(not_ordered), len(not_ordered)),
            unlisted=unlisted,
            nav=clinic_nav,
        )


def practitioner_listings(people: Sequence[Outlook], setting: Setting) -> dict[str, Listing]:
    """A list per practitioner of any plan shown, by practitioner id, in the order of their names."""
    idents = sorted(
        {ident for one in people for ident in one.practitioner_ids},
        key=lambda ident: (setting.practitioners.get(ident, ""), ident),
    )
    return {
        ident: Listing(
            setting.practitioners.get(ident, "Unnamed practitioner"),
            "../",
            file_id(ident),
            [one for one in people if ident in one.practitioner_ids],
        )
        for ident in idents
    }


def _name(row: OutlookRow) -> str:
    return formatting.shorten(full_name(row.first_name, row.last_name) or "Unnamed patient", 60)


def _outlook(rows: list[OutlookRow], setting: Setting, *, namesakes: bool) -> Outlook:
    first = rows[0]
    judged = [(status_texts.verdict(row.status, row.days_late, row.due_in_days, setting.policy), row) for row in rows]
    judged.sort(key=lambda pair: (pair[0].rank, pair[1].run_out_on or date.max, pair[1].product_name or ""))
    worst, urgent = judged[0]
    alike = sum(verdict == worst for verdict, _ in judged)
    idents = frozenset(row.practitioner_id for row in rows if row.practitioner_id)
    names = [setting.practitioners.get(ident, "Unnamed practitioner") for ident in sorted(idents)]
    return Outlook(
        file=file_id(first.patient_id),
        name=_name(first)
        + (f", born {formatting.day(first.date_of_birth)}" if namesakes and first.date_of_birth else ""),
        practitioner_ids=idents,
        practitioner=formatting.shorten(", ".join(names[:2]) + (f" +{len(names) - 2}" if len(names) > 2 else ""), 50),
        group=ARCHIVED if first.archived else worst,
        summary=status_texts.summary(verdict for verdict, _ in judged),
        action=worst.action,
        product=formatting.shorten(urgent.product_name or "product not named", 40)
        + (f" +{alike - 1}" if alike > 1 else ""),
        run_out_on=urgent.run_out_on,
        not_ordered=0 if first.archived else sum(verdict == VERDICTS["never"] for verdict, _ in judged),
    )


def _homes(people: Sequence[Outlook], size: int) -> dict[str, int]:
    """The page on which each group begins."""
    homes: dict[str, int] = {}
    for place, one in enumerate(people):
        homes.setdefault(one.group.key, place // size + 1)
    return homes


def _anchor(listing: Listing, verdict: Verdict, homes: dict[str, int], page: int) -> str:
    home = homes[verdict.key]
    return f"#{verdict.key}" if home == page else f"{listing.href(home)}#{verdict.key}"
