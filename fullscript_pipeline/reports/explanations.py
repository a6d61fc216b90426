"""Writes out the arithmetic behind a row, in sentences a clinician can check by hand.

What does not belong here: computing a measure, which the adherence engine does.
"""

from fractions import Fraction

from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.page_queries import PlanRow, TimelineRow
from fullscript_pipeline.reports.status_texts import FLAGS, REASONS

SHOWN_ORDERS = 6


def explain_row(row: PlanRow, marks: list[TimelineRow], refunded_orders: int, *, brief: bool = False) -> list[str]:
    """The lines of one product on the page's second sheet, in reading order. `brief`: for pages with many products."""
    lines = [dose_sentence(row), last_order_sentence(row), coverage_sentence(row)]
    if not brief:
        lines[2:2] = [supply_sentence(row)]
        lines.append(orders_sentence(row, marks))
    if refunded_orders:
        lines.append(f"{counted(refunded_orders, 'refunded order')} with this product not counted.")
    lines += [f"Assumed: {assumption}." for assumption in row.assumptions]
    # The note "read the share with care" needs a share.
    flags = [flag for flag in row.flags if flag != "short_window" or unmeasured_reason(row) is None]
    lines += [f"Note: {FLAGS.get(flag, flag.replace('_', ' '))}." for flag in flags]
    return [line for line in lines if line]


def unmeasured_reason(row: PlanRow) -> str | None:
    """Why the row has no share of days, or None if it has one."""
    if row.status != "not_measurable" and row.measurable in {"ok", "range"}:
        return None
    cause = row.reason or REASONS.get(row.measurable, "the plan or the orders do not say enough")
    return f"Could not measure because {cause.rstrip('.')}."


def dose_sentence(row: PlanRow) -> str:
    """The dose used, and the dosage text it was parsed from."""
    written = f"from the plan’s text “{formatting.shorten(row.dosage_text, 120)}”" if row.dosage_text else ""
    rates = _rates(row)
    if not rates:
        return " ".join(part for part in (unmeasured_reason(row), f"Dosage {written}." if written else "") if part)
    amount = _between([formatting.exact(rate) for rate in rates])
    name = formatting.units(rates[-1], row.unit).rsplit(" ", 1)[-1] if row.unit else "units"
    return f"Dose used: {amount} {name} per day{', ' + written if written else ''}."


def last_order_sentence(row: PlanRow) -> str:
    """`180 capsules ÷ 2 per day = 90 days`, exact. A dose range gives both ends."""
    if row.last_order_on is None or row.last_order_units is None:
        return ""
    bought = formatting.units(row.last_order_units, row.unit)
    opening = f"Last order {formatting.day(row.last_order_on)}: "
    rates = _rates(row)
    if not rates:
        return f"{opening}{bought}."
    days = [formatting.number(Fraction(row.last_order_units) / rate) for rate in rates]
    return (
        f"{opening}{bought} ÷ {_between([formatting.exact(rate) for rate in rates])} per day = "
        f"{_between(sorted(days, key=lambda number: float(number.replace(',', ''))))} days."
    )


def supply_sentence(row: PlanRow) -> str:
    """The supply ordered during the window, the supply before it, and the supply left at its end."""
    if row.window_start is None or row.units_supplied is None or not (row.orders or row.carry_in_units):
        return ""
    parts = [f"In the window {counted(row.orders, 'order')} with {formatting.units(row.units_supplied, row.unit)}"]
    if row.carry_in_units:
        parts.append(f"{formatting.units(row.carry_in_units, row.unit)} already on hand when it opened")
    if row.on_hand_units is not None and row.on_hand_days is not None:
        left = formatting.units(row.on_hand_units, row.unit) if row.on_hand_units else "nothing"
        at = " at the higher dose" if len(_rates(row)) > 1 else ""
        lasting = f"about {counted(round(row.on_hand_days), 'day')}" if row.on_hand_days >= 1 else "less than a day"
        parts.append(f"{left} left at its end{at}" + (f" ({lasting})" if row.on_hand_units else ""))
    return "; ".join(parts) + "."


def coverage_sentence(row: PlanRow) -> str:
    """The share as a number of days out of the window's days, at most all of them."""
    if row.pdc_min is None or not row.window_days or unmeasured_reason(row):
        return ""
    ends = [row.pdc_min] if row.pdc_max is None else [row.pdc_min, row.pdc_max]
    days = _between(list(dict.fromkeys(formatting.number(min(end, 1.0) * row.window_days) for end in ends)))
    gap = f", longest gap {formatting.number(row.longest_gap_days)} days" if row.longest_gap_days else ""
    which_dose = " (the higher and the lower dose)" if len(_rates(row)) > 1 else ""
    return f"{days} of {counted(row.window_days, 'day')} covered by orders{which_dose}{gap}."


def orders_sentence(row: PlanRow, marks: list[TimelineRow]) -> str:
    """The latest orders, each with its date and amount."""
    orders = sorted((mark for mark in marks if mark.kind == "order"), key=lambda mark: mark.start_on, reverse=True)
    if not orders:
        return "" if "undated_order" in row.flags else "No orders of this product seen."
    listed = [f"{formatting.day(mark.start_on)} ({_amount(mark, row.unit)})" for mark in orders[:SHOWN_ORDERS]]
    more = f" and {len(orders) - SHOWN_ORDERS} before" if len(orders) > SHOWN_ORDERS else ""
    return f"Orders seen: {', '.join(listed)}{more}."


def _amount(mark: TimelineRow, unit: str | None) -> str:
    if mark.units is not None:
        return formatting.units(mark.units, unit)
    return counted(mark.quantity or 0, "pack")


def _rates(row: PlanRow) -> list[Fraction]:
    """Units per day, lowest first: two for a range, one if both ends are equal or only one is known."""
    rates = [formatting.rate(row.units_per_day_min), formatting.rate(row.units_per_day_max)]
    return sorted({rate for rate in rates if rate})


def _between(ends: list[str]) -> str:
    return f"{ends[0]} to {ends[-1]}" if len(ends) > 1 else ends[0]
