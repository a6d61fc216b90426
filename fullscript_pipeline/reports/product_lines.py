"""Prepares the rows of a patient's first table: one product each, with the plan that counts and the older ones folded.

What does not belong here: the arithmetic in sentences (explanations.py), drawings (charts.py), HTML (templates/).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from fullscript_pipeline.reports import explanations, formatting, status_texts
from fullscript_pipeline.reports.doses import dose_words
from fullscript_pipeline.reports.language import PageLanguage, translatable
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import DosePeriod, PlanRow
from fullscript_pipeline.reports.status_texts import FLAGS, Verdict
from fullscript_pipeline.reports.thresholds import ReportPolicy
from fullscript_pipeline.reports.unit_names import units, units_between

_SHARE_VERDICTS = {
    "at_or_above": translatable("at or above the %(line)s line"),
    "below": translatable("below the %(line)s line"),
    "earlier_gaps": translatable("earlier gaps"),
    "depends_on_dose": translatable("either side of the %(line)s line"),
    "too_early": translatable("too early to say"),
}
_DETAILS = {
    "unread": translatable("the length of the course could not be read from the plan's text"),
    "depends": translatable("covered at the lower dose, not at the higher one"),
}
_STOPPED = {
    "ended_unmeasured": (translatable("over; could not be measured"),) * 2,
    "recommendation_removed": (
        translatable("line removed from the plan of %(day)s"),
        translatable("line removed from the plan"),
    ),
    "plan_cancelled": (translatable("cancelled plan of %(day)s"), translatable("cancelled plan")),
    "cancelled_before_order": (
        translatable("plan of %(day)s, cancelled before an order"),
        translatable("plan cancelled before an order"),
    ),
}


Window = tuple[date, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product of the patient: the row of the plan that counts, its verdict, and the rows of other plans."""

    row: PlanRow
    verdict: Verdict
    others: Sequence[PlanRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of the table: its first line, and the small lines under it."""

    main: str
    notes: Sequence[str] = ()


def products_of(rows: Sequence[PlanRow], policy: ReportPolicy) -> list[Product]:
    """One per product, the most urgent first."""
    by_product = sorted(rows, key=lambda row: (row.product_id, not row.is_current, -_ordinal(row), row.key))
    products = []
    for _, same in groupby(by_product, key=lambda row: row.product_id):
        row, *others = same
        verdict = status_texts.verdict(row.status, row.days_late, row.due_in_days, policy)
        products.append(Product(row=row, verdict=verdict, others=others))
    return sorted(
        products,
        key=lambda product: (product.verdict.rank, product.row.run_out_on or date.max, product.row.product_name or ""),
    )


def usual_window(products: Sequence[Product]) -> Window | None:
    """The window that most of the rows have; the table's caption names it."""
    windows = Counter(filter(None, (_window(product.row) for product in products)))
    return windows.most_common(1)[0][0] if windows else None


def product_name(row: PlanRow, language: PageLanguage) -> str:
    """The product's name, or words for one that Fullscript does not name."""
    return row.product_name or language.gettext("Product not named by Fullscript")


def recommended_cell(row: PlanRow, periods: Sequence[DosePeriod], language: PageLanguage) -> Cell:
    """The dose in words, since when, how many packs to buy, and whether to refill."""
    dose = dose_words(row, language)
    written = formatting.shorten(row.dosage_text, 90) if row.dosage_text else None
    if dose or not written:
        main = dose or language.gettext("no dosage text")
    else:
        main = language.gettext("“%(text)s”", text=written)
    notes = []
    if dose and row.dose_since and row.window_start and row.dose_since > row.window_start:
        notes.append(_dose_change(row.dose_since, dose, periods, language))
    if row.plan_started_on:
        notes.append(language.gettext("recommended since %(day)s", day=language.day(row.plan_started_on)))
    if row.units_to_purchase:
        notes.append(language.ngettext("%(num)s pack to buy", "%(num)s packs to buy", row.units_to_purchase))
    if row.refill is not None:
        notes.append(language.gettext("with refills") if row.refill else language.gettext("no refill"))
    return Cell(main=main, notes=notes)


def _dose_change(since: date, dose: str, periods: Sequence[DosePeriod], language: PageLanguage) -> str:
    """`5 g per day until 28 Nov 2026, 1 g per day since`: the dose before the one in force, and that one."""
    before = [period for period in periods if period.end_on <= since and formatting.rate(period.units_per_day)]
    if not before or (rate := formatting.rate(before[-1].units_per_day)) is None:
        return language.gettext("dose changed on %(day)s", day=language.day(since))
    earlier = units_between(language, rate, rate, before[-1].unit)
    return language.gettext(
        "%(earlier)s per day until %(day)s, %(dose)s since",
        earlier=earlier,
        day=language.day(_day_before(since)),
        dose=dose,
    )


def last_order_cell(row: PlanRow, language: PageLanguage) -> Cell:
    """The day of the last order, with packs and units."""
    if row.last_order_on is None:
        return Cell(main="—")
    notes = []
    if row.last_order_quantity:
        notes.append(language.ngettext("%(num)s pack", "%(num)s packs", row.last_order_quantity))
    if row.last_order_units:
        notes.append(units(language, row.last_order_units, row.unit))
    return Cell(main=language.day(row.last_order_on), notes=[", ".join(notes)] if notes else [])


def until_cell(row: PlanRow, policy: ReportPolicy, language: PageLanguage) -> Cell:
    """The last day with supply, at both doses of a range, and how far that is from the page's day."""
    if row.run_out_on is None:
        return Cell(main="—")
    last = language.day(_day_before(row.run_out_on))
    latest = language.day(_day_before(row.run_out_on_latest or row.run_out_on))
    main = formatting.between(language, last, latest)
    if row.status == "out_of_supply" and row.days_late is not None:
        return Cell(main=main, notes=[language.ngettext("%(num)s day late", "%(num)s days late", row.days_late)])
    if row.status == "covered" and (row.on_hand_days or 0) > policy.extra_supply_days:
        length = formatting.days(language, round(row.on_hand_days or 0))
        return Cell(main=main, notes=[language.gettext("extra supply, about %(length)s", length=length)])
    if row.status == "covered" and row.due_in_days is not None:
        return Cell(main=main, notes=[language.ngettext("due in %(num)s day", "due in %(num)s days", row.due_in_days)])
    return Cell(main=main)


def share_cell(row: PlanRow, usual: Window | None, policy: ReportPolicy, language: PageLanguage) -> Cell:
    """The share of days (or of a finite course), whether it reaches the threshold; its window if not the usual one."""
    share = _share(row, language)
    if share is None:
        return Cell(main=language.gettext("not measured"))
    notes = []
    if row.share_verdict in _SHARE_VERDICTS and row.status not in {"course_completed", "course_incomplete"}:
        notes.append(language.gettext(_SHARE_VERDICTS[row.share_verdict], line=policy.line(language)))
    if (window := _window(row)) and window != usual:
        notes.append(formatting.window(language, *window))
    return Cell(main=share, notes=notes)


def detail(verdict: Verdict, row: PlanRow, language: PageLanguage) -> str | None:
    """Details of the verdict: the reason, or how the plan stopped."""
    if "shared_order" in row.flags and verdict.key in {"depends", "long", "late", "ranout"}:
        return language.gettext(FLAGS["shared_order"])
    if verdict.key == "unknown":
        return explanations.unmeasured_reason(row, language)
    if row.status in _STOPPED:
        dated, undated = _STOPPED[row.status]
        if row.plan_started_on is None:
            return language.gettext(undated)
        return language.gettext(dated, day=language.day(row.plan_started_on))
    return language.gettext(_DETAILS[verdict.key]) if verdict.key in _DETAILS else None


def other_plans(product: Product, context: PageContext) -> list[str]:
    """A sentence for each other plan of the product: its day, its words, and which plan continued it."""
    started = {row.treatment_plan_id: row.plan_started_on for row in (product.row, *product.others)}
    return [_other_plan(row, started.get(row.continued_by or ""), context) for row in product.others]


def _other_plan(row: PlanRow, next_started: date | None, context: PageContext) -> str:
    language = context.language
    values = {
        "day": language.day(row.plan_started_on),
        "dose": dose_words(row, language) or formatting.shorten(row.dosage_text or "—", 60),
        "share": _share(row, language) or language.gettext("not measured"),
    }
    if next_started:
        return language.gettext(
            "Plan of %(day)s: %(dose)s; days covered: %(share)s; continued by the plan of %(next)s.",
            next=language.day(next_started),
            **values,
        )
    verdict = status_texts.verdict(row.status, row.days_late, row.due_in_days, context.policy)
    return language.gettext(
        "Plan of %(day)s: %(dose)s; days covered: %(share)s; %(verdict)s.",
        verdict=language.gettext(verdict.words).lower(),
        **values,
    )


def _window(row: PlanRow) -> Window | None:
    if row.window_start and row.window_end and row.window_end > row.window_start:
        return row.window_start, row.window_end
    return None


def _share(row: PlanRow, language: PageLanguage) -> str | None:
    if row.status in {"as_needed", "as_needed_not_ordered", "course_length_unread", "ended_unmeasured"}:
        return None
    if row.status == "not_measurable" and row.measurable != "open_range":
        return None
    if row.status in {"course_completed", "course_incomplete"} and row.course_supply_ratio is not None:
        return language.gettext("%(share)s %% of the course", share=formatting.percent(row.course_supply_ratio))
    if row.measurable == "open_range":
        # A limit on one side gives the figure one bound.
        only_upper = formatting.rate(row.units_per_day_max) is None
        bound = row.pdc_max if row.pdc_max is not None else row.pdc_min
        return formatting.share(language, None, bound) if only_upper else formatting.share(language, row.pdc_min, None)
    return formatting.share(language, row.pdc_min, row.pdc_max)


def _day_before(day: date) -> date:
    return day - timedelta(days=1)


def _ordinal(row: PlanRow) -> int:
    return row.plan_started_on.toordinal() if row.plan_started_on else 0
