"""Prepares a patient's page for its template: products in order, words, timeline, explanations, labs, contact.

What does not belong here: reading the warehouse (page_queries.py), writing files (adherence.py), HTML (templates/).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from fullscript_pipeline.reports import charts, explanations, formatting, product_lines, status_texts
from fullscript_pipeline.reports.contacts import contact_lines
from fullscript_pipeline.reports.lab_states import lab_lines
from fullscript_pipeline.reports.language import PageLanguage, translatable
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import PagePatient, PatientFile, PlanRow, TimelineRow
from fullscript_pipeline.reports.product_lines import Cell, Product, Window
from fullscript_pipeline.reports.sheet_headers import sheet_style
from fullscript_pipeline.reports.status_texts import Verdict
from fullscript_pipeline.reports.templating import policy_with_style, render

# A page with this many rows or more leaves out the lists of orders, to stay below 60 kB.
BRIEF_FROM = 30
MOST_LANES = 20
# The changes that the mart's timeline names, in the words of the page.
_CHANGES = {
    "dose changed": translatable("dose changed %(day)s"),
    "plan cancelled": translatable("plan cancelled %(day)s"),
    "taken out of the plan": translatable("taken out of the plan %(day)s"),
}
_CHANGED = translatable("plan changed %(day)s")


@dataclass(frozen=True, slots=True)
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
    """The page's HTML. The file has at least one row."""
    language = context.language
    as_of = max(row.as_of for row in file.rows)
    products = product_lines.products_of(file.rows, context.policy)
    drawn = [product.row for product in products if file.timeline.get(product.row.key)]
    name = file.patient.name or language.gettext("Unnamed patient")
    clinic = context.clinic.name or context.clinic.clinic_key
    sheets = sheet_style([clinic, name, *_birth(file.patient, language)], language)
    usual = product_lines.usual_window(products)
    brief = len(file.rows) >= BRIEF_FROM
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
        csp=policy_with_style(sheets),
        sheet_style=Markup(sheets),  # noqa: S704 -- its texts are escaped
        answer=status_texts.describe_products((product.verdict for product in products), language),
        lines=[_line(product, usual, file, context, brief=brief) for product in products],
        window=formatting.window(language, *usual) if usual else None,
        brief=brief,
        timeline=_timeline(drawn[:MOST_LANES], file, context, as_of) if drawn else None,
        left_out=len(drawn[MOST_LANES:]),
        labs=lab_lines(file.labs, language) if context.labs else None,
    )


def _birth(patient: PagePatient, language: PageLanguage) -> list[str]:
    if patient.date_of_birth is None:
        return []
    return [language.gettext("born %(day)s", day=language.day(patient.date_of_birth))]


def _line(
    product: Product, usual: Window | None, file: PatientFile, context: PageContext, *, brief: bool
) -> ProductLine:
    row, language, policy = product.row, context.language, context.policy
    refunded = file.refunds.get(row.product_id, 0)
    return ProductLine(
        product=product_lines.product_name(row, language),
        brand=row.brand_name,
        verdict=product.verdict,
        detail=product_lines.detail(product.verdict, row, language),
        recommended=product_lines.recommended_cell(row, file.doses.get(row.key, ()), language),
        last_order=product_lines.last_order_cell(row, language),
        until=product_lines.until_cell(row, policy, language),
        share=product_lines.share_cell(row, usual, policy, language),
        others=product_lines.other_plans(product, context),
        explanation=explanations.explain_row(
            row,
            file.timeline.get(row.key, []),
            refunded,
            language,
            periods=file.doses.get(row.key, ()),
            brief=brief,
        ),
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
    spans = [charts.SupplySpan(part.kind, part.start_on, part.end_on) for part in parts if part.end_on > part.start_on]
    orders = [part.start_on for part in parts if part.kind == "order"]
    changes = [charts.Change(part.start_on, _change(part, language)) for part in parts if part.kind == "plan_change"]
    return charts.ProductLane(name, spans, orders, changes)


def _change(part: TimelineRow, language: PageLanguage) -> str:
    day = language.day_of_year(part.start_on)
    return language.gettext(_CHANGES.get(part.label or "", _CHANGED), day=day)
