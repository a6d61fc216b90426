"""Renders a clinic's lists as pages: the call list and everybody from A to Z, of the clinic and of each practitioner.

What does not belong here: who is on a list (`call_list`, `directory`), writing files (`clinic_lists`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from fullscript_pipeline.reports.clinic_pages.call_list import CallList
from fullscript_pipeline.reports.clinic_pages.catalog_news import DAYS, CatalogNews
from fullscript_pipeline.reports.clinic_pages.clinic_labs import LabToActOn
from fullscript_pipeline.reports.clinic_pages.directory import letter_of, letters_of_page, names_elsewhere
from fullscript_pipeline.reports.clinic_pages.next_steps import shortage_text
from fullscript_pipeline.reports.clinic_pages.roster import JudgedProduct, RosterPatient
from fullscript_pipeline.reports.field_words import change_words
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_styles import printed_header
from fullscript_pipeline.reports.templating import page_script, render

# Rows of a further section on the first page; the workbook has all of them.
MOST_ROWS = 60
CATALOG_PAGE = "catalog.html"
_MOST_NAMES, _MOST_PRODUCTS = 12, 120
_NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientSelection:
    """The patients of a set of pages: everybody, or those of one practitioner (`practitioner`: the name).

    `stem` names its files; `up` is the path from its folder to the clinic's folder.
    """

    practitioner: str | None
    stem: str
    up: str
    patients: Sequence[RosterPatient]
    call_list: CallList
    labs: Sequence[LabToActOn]
    trend: Markup | None = None
    news: CatalogNews | None = None

    def call_page(self, page: int) -> str:
        """The file name of a page of the call list."""
        if self.practitioner is None:
            return "index.html" if page == 1 else f"page-{page}.html"
        return f"{self.stem}.html" if page == 1 else f"{self.stem}-page-{page}.html"

    def directory_page(self, page: int) -> str:
        """The file name of a page of A to Z."""
        stem = "a-z" if self.practitioner is None else f"{self.stem}-a-z"
        return f"{stem}.html" if page == 1 else f"{stem}-page-{page}.html"

    @property
    def as_needed(self) -> list[tuple[RosterPatient, JudgedProduct]]:
        """The products that are taken as needed: nobody can be late with them."""
        return [
            (patient, product)
            for patient in self.patients
            for product in patient.products
            if product.is_as_needed and not patient.archived
        ]

    @property
    def not_ordered(self) -> tuple[int, int]:
        """How many products are recommended and not ordered, and for how many patients."""
        counts = [
            sum(product.verdict.key == _NEVER for product in patient.products)
            for patient in self.patients
            if not patient.archived
        ]
        return sum(counts), sum(map(bool, counts))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFrame:
    """What all lists of a clinic share: pairs of path in the clinic's folder and practitioner, and their numbers."""

    context: PageContext
    nav: Sequence[tuple[str, str]] = ()
    places: Mapping[str, int] = field(default_factory=dict)


def render_call_list(selection: PatientSelection, frame: ListFrame) -> Iterator[tuple[str, str]]:
    """Pairs of file name and HTML: the call list, at least one page; the other sections are on the first."""
    entries, size = selection.call_list.entries, frame.context.policy.calls_per_page
    pages = max(1, -(-len(entries) // size))
    sheets = _printed_header(selection, frame.context, frame.context.language.gettext("Call list"))
    for page in range(1, pages + 1):
        html = render(
            "clinic.html.j2",
            frame.context.language,
            context=frame.context,
            selection=selection,
            entries=entries[(page - 1) * size : page * size],
            has_contact=frame.context.contact or any(patient.guardian for patient in selection.patients),
            has_products=any(patient.products for patient in selection.patients),
            as_needed=selection.as_needed,
            shortage_text=shortage_text,
            not_ordered=selection.not_ordered,
            most_rows=MOST_ROWS,
            nav=frame.nav,
            page=page,
            pages=pages,
            own_style=sheets,
        )
        yield selection.call_page(page), html


def render_directory(selection: PatientSelection, frame: ListFrame) -> Iterator[tuple[str, str]]:
    """Pairs of file name and HTML: everybody from A to Z, at least one page; the search is on the first."""
    patients, size = selection.patients, frame.context.policy.patients_per_page
    pages = max(1, -(-len(patients) // size))
    sheets = _printed_header(selection, frame.context, frame.context.language.gettext("A to Z"))
    first_pages = _first_pages(patients, size)
    elsewhere = [
        (patient, selection.directory_page(place // size + 1))
        for place, patient in enumerate(patients)
        if place >= size
    ]
    for page in range(1, pages + 1):
        first, last = (page - 1) * size, page * size
        letters = letters_of_page(patients, first, last, frame.places)
        html = render(
            "directory.html.j2",
            frame.context.language,
            context=frame.context,
            selection=selection,
            letters=letters,
            first_pages=first_pages,
            others=names_elsewhere(elsewhere, frame.places, f"{selection.up}patients/") if page == 1 else None,
            script=page_script() if page == 1 and patients else None,
            own_style=sheets,
            nav=frame.nav,
            page=page,
            pages=pages,
        )
        yield selection.directory_page(page), html


def render_catalog_news(selection: PatientSelection, frame: ListFrame) -> Iterator[tuple[str, str]]:
    """One pair of file name and HTML: what the catalog means for the clinic's patients. None for a practitioner."""
    if selection.news is not None:
        sheets = _printed_header(selection, frame.context, frame.context.language.gettext("Catalog"))
        yield (
            CATALOG_PAGE,
            render(
                "clinic_catalog.html.j2",
                frame.context.language,
                context=frame.context,
                selection=selection,
                news=selection.news,
                days=DAYS,
                most_rows=MOST_ROWS,
                most_names=_MOST_NAMES,
                most_products=_MOST_PRODUCTS,
                change_words=change_words,
                shortage_text=shortage_text,
                nav=frame.nav,
                own_style=sheets,
            ),
        )


def _printed_header(selection: PatientSelection, context: PageContext, title: str) -> str:
    """Which list it is, whose, and of which day, on every printed sheet."""
    clinic = context.clinic.name or context.clinic.clinic_key
    parts = [clinic, title, selection.practitioner, context.language.day(context.as_of)]
    return printed_header([part for part in parts if part], context.language)


def _first_pages(patients: Sequence[RosterPatient], size: int) -> dict[str, int]:
    """The number of the page on which each letter begins."""
    first_pages: dict[str, int] = {}
    for place, patient in enumerate(patients):
        first_pages.setdefault(letter_of(patient), place // size + 1)
    return first_pages
