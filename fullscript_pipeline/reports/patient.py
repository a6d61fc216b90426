"""Prepares a patient's page for its template: products in order, words, timeline, explanations, labs, contact.

What does not belong here: reading the warehouse (page_queries.py), writing files (adherence.py), HTML (templates/).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import IntEnum

from markupsafe import Markup

from fullscript_pipeline.reports import charts, explanations, formatting, product_lines, status_texts
from fullscript_pipeline.reports.contacts import contact_lines
from fullscript_pipeline.reports.lab_states import lab_lines
from fullscript_pipeline.reports.language import PageLanguage, translatable
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import PagePatient, PatientFile, PlanRow, TimelineRow
from fullscript_pipeline.reports.page_styles import printed_header
from fullscript_pipeline.reports.product_lines import Cell, Product, Window
from fullscript_pipeline.reports.status_texts import Verdict
from fullscript_pipeline.reports.templating import render

LARGEST_PAGE = 60_000
MOST_LANES = 20
# The changes that the mart's timeline names, in the words of the page.
_CHANGES = {
    "dose changed": translatable("dose changed %(day)s"),
    "plan cancelled": translatable("plan cancelled %(day)s"),
    "taken out of the plan": translatable("taken out of the plan %(day)s"),
}
_CHANGED = translatable("plan changed %(day)s")


class Detail(IntEnum):
    """How much a page explains: `BRIEF` leaves out the lists of orders, `TABLE` all arithmetic."""

    FULL = 0
    BRIEF = 1
    TABLE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductLine:
    """A row of the table, and its explanation on the second part of the page."""

    product: str
    brand: str | None
    verdict: Verdict
    detail: str | None
    recommended: Cell
    last_order: Cell
    until: Cell
    share: Cell
    others: list[str]
    explanation: list[str]

    @property
    def others_count(self) -> int:
        """How many other plans of the product there are."""
        return len(self.others)


def patient_page(file: PatientFile, context: PageContext) -> str:
    """The page's HTML, with as much detail as `LARGEST_PAGE` has room for. The file has at least one row."""
    for detail in Detail:
        html = _page(file, context, detail)
        # A character is at most four bytes, and few are more than one.
        if len(html) * 4 <= LARGEST_PAGE or len(html.encode("utf-8", "replace")) <= LARGEST_PAGE:
            break
    return html


def _page(file: PatientFile, context: PageContext, detail: Detail) -> str:
    language = context.language
    as_of = max(row.as_of for row in file.rows)
    products = product_lines.products_of(file.rows, context.policy)
    drawn = [product.row for product in products if file.timeline.get(product.row.key)]
    name = file.patient.name or language.gettext("Unnamed patient")
    clinic = context.clinic.name or context.clinic.clinic_key
    sheets = printed_header([clinic, name, *_birth(file.patient, language)], language)
    usual = product_lines.usual_window(products)
    in_lanes = {row.key for row in drawn[:MOST_LANES]}
    return render(
        "patient.html.j2",
        language,
        context=context,
        patient=file.patient,
        name=name,
        clinic=clinic,
        as_of=as_of,
        practitioners=_practitioners(file.rows, context),
        contacts=contact_lines(file.patient, language) if context.contact else [],
        own_style=sheets,
        answer=status_texts.describe_products((product.verdict for product in products), language),
        lines=[
            _line(product, usual, file, context, detail=detail, is_drawn=product.row.key in in_lanes)
            for product in products
        ],
        window=formatting.window(language, *usual) if usual else None,
        brief=detail > Detail.FULL,
        explained=detail < Detail.TABLE,
        timeline=_timeline(drawn[:MOST_LANES], file, context, as_of) if drawn else None,
        left_out=len(drawn[MOST_LANES:]),
        labs=lab_lines(file.labs, language) if context.labs else None,
    )


def _birth(patient: PagePatient, language: PageLanguage) -> list[str]:
    if patient.date_of_birth is None:
        return []
    return [language.gettext("born %(day)s", day=language.day(patient.date_of_birth))]


def _line(
    product: Product,
    usual: Window | None,
    file: PatientFile,
    context: PageContext,
    *,
    detail: Detail,
    is_drawn: bool,
) -> ProductLine:
    row, language, policy = product.row, context.language, context.policy
    last_order = product_lines.last_order_cell(row, language)
    if detail is Detail.TABLE and not is_drawn:
        # Nothing else on the page says how many orders there are.
        count = explanations.orders_count_sentence(file.timeline.get(row.key, []), language)
        last_order = replace(last_order, notes=[*last_order.notes, *filter(None, [count])])
    return ProductLine(
        product=product_lines.product_name(row, language),
        brand=row.brand_name,
        verdict=product.verdict,
        detail=product_lines.detail(product.verdict, row, language),
        recommended=product_lines.recommended_cell(row, file.doses.get(row.key, ()), language),
        last_order=last_order,
        until=product_lines.until_cell(row, policy, language),
        share=product_lines.share_cell(row, usual, policy, language),
        others=product_lines.other_plans(product, context),
        explanation=_explanation(row, file, language, detail=detail, is_drawn=is_drawn),
    )


def _explanation(
    row: PlanRow, file: PatientFile, language: PageLanguage, *, detail: Detail, is_drawn: bool
) -> list[str]:
    if detail is Detail.TABLE:
        return []
    return explanations.explain_row(
        row,
        file.timeline.get(row.key, []),
        file.refunds.get(row.product_id, 0),
        language,
        periods=file.doses.get(row.key, ()),
        brief=detail is Detail.BRIEF,
        is_drawn=is_drawn,
    )


def _practitioners(rows: Sequence[PlanRow], context: PageContext) -> list[str]:
    idents = {row.practitioner_id for row in rows if row.practitioner_id}
    unnamed = context.language.gettext("Unnamed practitioner")
    return sorted(context.practitioners.get(ident, unnamed) for ident in idents)


def _timeline(rows: Sequence[PlanRow], file: PatientFile, context: PageContext, as_of: date) -> Markup:
    language = context.language
    end = as_of + timedelta(days=1)
    starts = [row.window_start for row in rows if row.window_start and row.window_start < end]
    names = _distinct_names(rows, language)
    lanes = [_lane(name, file.timeline[row.key], language) for row, name in zip(rows, names, strict=True)]
    most_marks = context.policy.timeline_marks
    return charts.timeline(lanes, min(starts, default=as_of), end, language, most_marks=most_marks)


def _distinct_names(rows: Sequence[PlanRow], language: PageLanguage) -> list[str]:
    """The products' names, with the brand if two products share a name."""
    names = [product_lines.product_name(row, language) for row in rows]
    namesakes = Counter(names)
    return [
        f"{name}, {row.brand_name}" if namesakes[name] > 1 and row.brand_name else name
        for row, name in zip(rows, names, strict=True)
    ]


def _lane(name: str, parts: Sequence[TimelineRow], language: PageLanguage) -> charts.ProductLane:
    spans = [
        charts.SupplySpan(kind=part.kind, start=part.start_on, end=part.end_on)
        for part in parts
        if part.end_on > part.start_on
    ]
    orders = [part.start_on for part in parts if part.kind == "order"]
    changes = [
        charts.Change(on=part.start_on, label=_change(part, language)) for part in parts if part.kind == "plan_change"
    ]
    return charts.ProductLane(label=name, spans=spans, orders=orders, changes=changes)


def _change(part: TimelineRow, language: PageLanguage) -> str:
    day = language.day_of_year(part.start_on)
    return language.gettext(_CHANGES.get(part.label or "", _CHANGED), day=day)
