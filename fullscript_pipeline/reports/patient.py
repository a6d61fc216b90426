"""Prepares a patient's page for its template: rows in order, words, timeline, explanations, labs.

What does not belong here: reading the warehouse (page_queries.py), writing files (adherence.py), HTML (templates/).
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import charts, explanations, formatting, status_texts
from fullscript_pipeline.reports.lab_states import lab_lines
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import PatientFile, PlanRow, TimelineRow
from fullscript_pipeline.reports.status_texts import Verdict
from fullscript_pipeline.reports.templating import render
from fullscript_pipeline.reports.thresholds import ReportPolicy

# A page with this many rows or more leaves out the small drawings and the lists of orders, to stay below 60 kB.
BRIEF_FROM = 30
MOST_LANES = 40


@dataclass(frozen=True, slots=True)
class ProductLine:
    """A row of the table, and its explanation on the second sheet."""

    product: str
    brand: str | None
    verdict: Verdict
    detail: str | None
    last_order: str
    last_amount: str | None
    until: str
    due: str | None
    share: str
    window: str | None
    line: str | None
    mini: Markup | None
    explanation: list[str]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What the rows of one page share: the page's window, and the lane number of each row that is drawn."""

    file: PatientFile
    context: PageContext
    span: tuple[date, date]
    lanes: dict[tuple[str, str], int]

    @property
    def brief(self) -> bool:
        return len(self.file.rows) >= BRIEF_FROM


def patient_page(file: PatientFile, context: PageContext) -> str:
    """The page's HTML. The file has at least one row."""
    as_of = max(row.as_of for row in file.rows)
    judged = [
        (status_texts.verdict(row.status, row.days_late, row.due_in_days, context.policy), row) for row in file.rows
    ]
    judged.sort(key=lambda pair: (pair[0].rank, pair[1].run_out_on or date.max, _name(pair[1]), pair[1].key))
    drawn = [row for _, row in judged if file.timeline.get(row.key)]
    left_out = len(drawn[MOST_LANES:])
    drawn = drawn[:MOST_LANES]
    lanes = {row.key: number for number, row in enumerate(drawn)}
    sheet = _Sheet(file, context, _span(file.rows, as_of), lanes)
    return render(
        "patient.html.j2",
        context.language,
        context=context,
        patient=file.patient,
        as_of=as_of,
        practitioners=_practitioners(file.rows, context),
        window=formatting.window(*sheet.span),
        answer=status_texts.describe_products(verdict for verdict, _ in judged),
        lines=[_line(verdict, row, sheet) for verdict, row in judged],
        brief=sheet.brief,
        timeline=_timeline(drawn, sheet) if drawn else None,
        left_out=left_out,
        labs=lab_lines(file.labs) if context.labs else None,
    )


def _name(row: PlanRow) -> str:
    return row.product_name or "Product not named by Fullscript"


def _practitioners(rows: list[PlanRow], context: PageContext) -> list[str]:
    idents = {row.practitioner_id for row in rows if row.practitioner_id}
    return sorted(context.practitioners.get(ident, "Unnamed practitioner") for ident in idents)


def _span(rows: list[PlanRow], as_of: date) -> tuple[date, date]:
    """From the first plan's start through the report's day, as [start, end)."""
    end = as_of + timedelta(days=1)
    starts = [row.window_start for row in rows if row.window_start and row.window_start < end]
    return min(starts, default=as_of), end


def _timeline(rows: list[PlanRow], sheet: _Sheet) -> Markup:
    lanes = [_lane(name, sheet.file.timeline[row.key]) for row, name in zip(rows, _distinct_names(rows), strict=True)]
    return charts.timeline(lanes, *sheet.span, most_marks=sheet.context.policy.timeline_marks)


def _distinct_names(rows: list[PlanRow]) -> list[str]:
    """The products' names, with the brand if two products share a name, with the plan's day if two plans share one."""
    namesakes = Counter(name for name, _ in {(_name(row), row.product_id) for row in rows})
    plans = Counter(row.product_id for row in rows)

    def name(row: PlanRow) -> str:
        brand = row.brand_name if namesakes[_name(row)] > 1 else None
        again = plans[row.product_id] > 1 and row.plan_started_on
        plan = f"plan of {formatting.day(row.plan_started_on)}" if again else None
        return ", ".join(part for part in (_name(row), brand, plan) if part)

    return [name(row) for row in rows]


def _lane(name: str, parts: list[TimelineRow]) -> charts.ProductLane:
    spans = [charts.SupplySpan(part.kind, part.start_on, part.end_on) for part in parts if part.end_on > part.start_on]
    marks = [charts.Mark(part.kind, part.start_on) for part in parts if part.kind in {"order", "plan_change"}]
    return charts.ProductLane(name, [span for span in spans if span.kind not in {"order", "plan_change"}], marks)


def _line(verdict: Verdict, row: PlanRow, sheet: _Sheet) -> ProductLine:
    share, line = _share(row, sheet.context.policy)
    until, due = _until(row, sheet.context.policy)
    lane = sheet.lanes.get(row.key)
    refunded = sheet.file.refunds.get(row.product_id, 0)
    return ProductLine(
        product=_name(row),
        brand=row.brand_name,
        verdict=verdict,
        detail=_detail(verdict, row),
        last_order=formatting.day(row.last_order_on),
        last_amount=_amount(row),
        until=until,
        due=due,
        share=share,
        window=_window(row, sheet.span),
        line=line,
        mini=charts.small_copy(lane) if lane is not None and not sheet.brief else None,
        explanation=explanations.explain_row(row, sheet.file.timeline.get(row.key, []), refunded, brief=sheet.brief),
    )


def _window(row: PlanRow, span: tuple[date, date]) -> str | None:
    """The row's own window, or None if it equals the window in the page's header."""
    if not (row.window_start and row.window_end and row.window_end > row.window_start):
        return None
    return None if (row.window_start, row.window_end) == span else formatting.window(row.window_start, row.window_end)


def _detail(verdict: Verdict, row: PlanRow) -> str | None:
    """Details of the status: the reason, the plan's start, or how the plan stopped."""
    if verdict.key == "unknown":
        return explanations.unmeasured_reason(row)
    if verdict.key in {"never", "new"} and row.plan_started_on:
        return f"plan of {formatting.day(row.plan_started_on)}"
    if verdict.key == "stopped":
        if row.status == "ended_unmeasured":
            return "over; could not be measured"
        how = "line removed from the" if row.status == "recommendation_removed" else "cancelled"
        return f"{how} plan of {formatting.day(row.plan_started_on)}" if row.plan_started_on else f"{how} plan"
    if verdict.key == "depends":
        return "covered at the lower dose, not at the higher one"
    return None


def _amount(row: PlanRow) -> str | None:
    """`2 packs, 180 capsules`."""
    if row.last_order_on is None:
        return None
    packs = counted(row.last_order_quantity, "pack") if row.last_order_quantity else None
    amount = formatting.units(row.last_order_units, row.unit) if row.last_order_units else None
    return ", ".join(part for part in (packs, amount) if part) or None


def _until(row: PlanRow, policy: ReportPolicy) -> tuple[str, str | None]:
    """When the supply ends or ended, and how far that is from the report's day."""
    if row.run_out_on is None:
        return formatting.day(None), None
    if row.status == "out_of_supply" and row.days_late is not None:
        return f"ran out {formatting.day(row.run_out_on)}", f"{counted(row.days_late, 'day')} late"
    if row.status == "covered" and (row.on_hand_days or 0) > policy.extra_supply_days:
        return formatting.day(row.run_out_on), f"extra supply, about {counted(round(row.on_hand_days or 0), 'day')}"
    if row.status == "covered" and row.due_in_days is not None:
        return formatting.day(row.run_out_on), f"due in {counted(row.due_in_days, 'day')}"
    return formatting.day(row.run_out_on), None


def _share(row: PlanRow, policy: ReportPolicy) -> tuple[str, str | None]:
    """The share of days (or of a finite course), and whether it reaches the policy's line."""
    if row.status == "not_measurable" and row.measurable != "open_range":
        return "not measured", None
    if row.status in {"course_completed", "course_incomplete"} and row.course_supply_ratio is not None:
        return f"{formatting.percent(row.course_supply_ratio)} % of the course", None
    share = formatting.share(row.pdc_min, None if row.measurable == "open_range" else row.pdc_max)
    if share is None:
        return "not measured", None
    if row.status == "awaiting_first_order":
        return share, None
    line = f"{policy.line} line"
    said = {"yes": f"at or above the {line}", "no": f"below the {line}", "indeterminate": f"either side of the {line}"}
    return share, said.get(row.adherent or "")
