"""Writes out the arithmetic behind a row, in sentences a clinician can check by hand.

What does not belong here: computing a measure, which the adherence engine does.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from operator import attrgetter

from fullscript_pipeline.reports import formatting, unmeasured_reasons
from fullscript_pipeline.reports.doses import dose_rates, dose_words
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.page_queries import DosePeriod, PlanRow, TimelineRow
from fullscript_pipeline.reports.status_texts import FLAGS
from fullscript_pipeline.reports.unit_names import units

SHOWN_ORDERS = 6


def explain_row(
    row: PlanRow,
    marks: list[TimelineRow],
    refunded_orders: int,
    language: PageLanguage,
    *,
    periods: Sequence[DosePeriod] = (),
    brief: bool = False,
    is_drawn: bool = True,
) -> list[str]:
    """The lines of one product on the page's second part, in reading order.

    `brief`: for pages with many products; `is_drawn`: whether a lane of the timeline says how many orders there are.
    """
    lines = [dose_sentence(row, language), last_order_sentence(row, language)]
    if not brief:
        is_measured = unmeasured_reason(row, language) is None
        by_dose = [period_sentence(period, language) for period in periods] if is_measured else []
        lines += by_dose if any(by_dose) else [supply_sentence(row, language)]
    lines += [coverage_sentence(row, language), gap_sentence(row, language)]
    if not brief:
        lines.append(orders_sentence(row, marks, language))
    elif not is_drawn:
        lines.append(orders_count_sentence(marks, language))
    if refunded_orders:
        lines.append(_refund_sentence(refunded_orders, language))
    # The note "read the share with care" needs a share.
    flags = [flag for flag in row.flags if flag != "short_window" or unmeasured_reason(row, language) is None]
    lines += [_note(flag, language) for flag in flags]
    return [line for line in lines if line]


def _refund_sentence(refunded_orders: int, language: PageLanguage) -> str:
    return language.ngettext(
        "%(num)s refunded order with this product not counted.",
        "%(num)s refunded orders with this product not counted.",
        refunded_orders,
    )


def unmeasured_reason(row: PlanRow, language: PageLanguage) -> str | None:
    """Why the row has no share of days, or None if it has one."""
    if row.status != "not_measurable" and row.measurable in {"ok", "range"}:
        return None
    cause = unmeasured_reasons.unmeasured_reason(row.reason, row.measurable, row.flags, language)
    return language.gettext("Could not measure because %(reason)s.", reason=cause.rstrip("."))


def _note(flag: str, language: PageLanguage) -> str:
    return language.gettext(
        "Note: %(note)s.", note=language.gettext(FLAGS[flag]) if flag in FLAGS else flag.replace("_", " ")
    )


def dose_sentence(row: PlanRow, language: PageLanguage) -> str:
    """The dose used, and the dosage text it was parsed from."""
    written = formatting.shorten(row.dosage_text, 120) if row.dosage_text else ""
    dose = dose_words(row, language)
    if dose and written:
        return language.gettext("Dose used: %(dose)s, from the plan’s text “%(text)s”.", dose=dose, text=written)
    if dose:
        return language.gettext("Dose used: %(dose)s.", dose=dose)
    reason = unmeasured_reason(row, language) or ""
    if not written:
        return reason
    quoted = language.gettext("Dosage as the plan’s text says it: “%(text)s”.", text=written)
    return f"{reason} {quoted}".strip()


def last_order_sentence(row: PlanRow, language: PageLanguage) -> str:
    """`180 capsules ÷ 2 per day = 90 days`, exact. A dose range gives both ends."""
    if row.last_order_on is None or row.last_order_units is None:
        return ""
    day, bought = language.day(row.last_order_on), units(language, row.last_order_units, row.unit)
    rates = dose_rates(row)
    if not rates:
        return language.gettext("Last order %(day)s: %(bought)s.", day=day, bought=bought)
    rate, length = _lasting(language, row.last_order_units, rates[0], rates[-1])
    return language.gettext(
        "Last order %(day)s: %(bought)s ÷ %(rate)s per day = %(length)s.",
        day=day,
        bought=bought,
        rate=rate,
        length=length,
    )


@lru_cache(maxsize=5_000)
def _lasting(language: PageLanguage, bought: float, low: Fraction, high: Fraction) -> tuple[str, str]:
    """Both rates, and how long so many units last at them."""
    rate = formatting.between(language, formatting.exact(language, low), formatting.exact(language, high))
    return rate, formatting.days_between(language, Fraction(bought) / high, Fraction(bought) / low)


def period_sentence(period: DosePeriod, language: PageLanguage) -> str:
    """`...: 20 on hand + 300 ordered − 14 left = 306 capsules ÷ 2 per day = 153 days covered.`"""
    rate = formatting.rate(period.units_per_day)
    if rate is None or period.units_used is None or period.days_covered is None:
        return ""
    if not (period.units_on_hand or period.units_bought):
        return ""
    return language.gettext(
        "%(window)s: %(carried)s on hand + %(bought)s ordered − %(left)s left = %(used)s ÷ %(rate)s per day = "
        "%(covered)s covered.",
        window=formatting.window(language, period.start_on, period.end_on),
        carried=language.number(period.units_on_hand or 0.0),
        bought=language.number(period.units_bought or 0.0),
        left=language.number(period.units_left or 0.0),
        used=units(language, period.units_used, period.unit),
        rate=formatting.exact(language, rate),
        covered=formatting.days(language, period.days_covered),
    )


def supply_sentence(row: PlanRow, language: PageLanguage) -> str:
    """What was on hand, bought, left and so used in the window: `540 + 20 − 38 = 522 capsules`. At the higher dose."""
    if row.window_start is None or row.units_supplied is None or row.on_hand_units is None:
        return ""
    carried, left = row.carry_in_units or 0.0, row.on_hand_units
    if not (row.units_supplied or carried):
        return ""
    values = {
        "carried": language.number(carried),
        "bought": language.number(row.units_supplied),
        "left": language.number(left),
        "used": units(language, carried + row.units_supplied - left, row.unit),
    }
    if len(dose_rates(row)) > 1:
        return language.gettext(
            "Supply at the higher dose: %(carried)s on hand at the start + %(bought)s ordered − %(left)s left = "
            "%(used)s used.",
            **values,
        )
    return language.gettext(
        "Supply: %(carried)s on hand at the start + %(bought)s ordered − %(left)s left = %(used)s used.", **values
    )


def coverage_sentence(row: PlanRow, language: PageLanguage) -> str:
    """The share as a number of days out of the window's days, at most all of them."""
    if row.pdc_min is None or not row.window_days or not _has_coverage(row, language):
        return ""
    ends = [row.pdc_min] if row.pdc_max is None else [row.pdc_min, row.pdc_max]
    covered = [language.number(min(end, 1.0) * row.window_days) for end in ends]
    values = {
        "covered": formatting.between(language, covered[0], covered[-1]),
        "window": formatting.days(language, row.window_days),
    }
    if len(dose_rates(row)) > 1:
        return language.gettext(
            "%(covered)s of %(window)s covered by orders (the higher and the lower dose).", **values
        )
    return language.gettext("%(covered)s of %(window)s covered by orders.", **values)


def _has_coverage(row: PlanRow, language: PageLanguage) -> bool:
    return row.pdc_min is not None and bool(row.window_days) and unmeasured_reason(row, language) is None


def gap_sentence(row: PlanRow, language: PageLanguage) -> str:
    """The longest stretch without supply, at the higher dose."""
    if not row.longest_gap_days or not _has_coverage(row, language):
        return ""
    return language.gettext("Longest gap: %(length)s.", length=formatting.days(language, row.longest_gap_days))


def orders_count_sentence(marks: list[TimelineRow], language: PageLanguage) -> str:
    """How many orders there are, where the page has room neither for each nor for a lane."""
    orders = sum(mark.kind == "order" for mark in marks)
    return language.ngettext("%(num)s order.", "%(num)s orders.", orders) if orders else ""


def orders_sentence(row: PlanRow, marks: list[TimelineRow], language: PageLanguage) -> str:
    """The latest orders, each with its date and amount."""
    orders = [mark for mark in marks if mark.kind == "order"]
    orders.sort(key=attrgetter("start_on"), reverse=True)
    if not orders:
        # An order that is not counted names the product all the same.
        uncounted = {"undated_order", "ordered_by_another", "shared_order"} & set(row.flags)
        if row.last_order_on or uncounted:
            return ""
        return language.gettext("No orders of this product seen.")
    listed = ", ".join(_order(mark, row.unit, language) for mark in orders[:SHOWN_ORDERS])
    if len(orders) <= SHOWN_ORDERS:
        return language.gettext("Orders seen: %(orders)s.", orders=listed)
    return language.gettext(
        "Orders seen: %(orders)s and %(more)s before.",
        orders=listed,
        more=language.number(len(orders) - SHOWN_ORDERS),
    )


def _order(mark: TimelineRow, unit: str | None, language: PageLanguage) -> str:
    amount = (
        units(language, mark.units, unit)
        if mark.units is not None
        else language.ngettext("%(num)s pack", "%(num)s packs", mark.quantity or 0)
    )
    return f"{language.day(mark.start_on)} ({amount})"
