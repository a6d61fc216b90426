"""Draws the share of products on track by month: inline SVG, a bar per month with its percent and its denominator.

What does not belong here: counting (reports/sql/clinic_trend.sql), any figure of a practitioner or a patient.
"""

from datetime import date
from typing import NamedTuple

import duckdb
from markupsafe import Markup, escape

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.row_reading import read_rows

WIDTH, STEP, BAR, TOP, HEIGHT = 720, 60, 40, 20, 90


class MonthShare(NamedTuple):
    """How many of the measurable products were on track at the end of `day`, the last day of a month."""

    day: date
    products: int
    on_track: int


def draw_trend(con: duckdb.DuckDBPyConnection, context: PageContext) -> Markup | None:
    """The months that have a measurable product, twelve at most, the oldest first; None without a month.

    The drawing's description says every number that is drawn.
    """
    values = {"clinic": context.clinic.clinic_id, "as_of": context.as_of}
    months, language = read_rows(con, "clinic_trend.sql", MonthShare, values), context.language
    if not months:
        return None
    title = language.gettext("Share of products on track on the last day of each month")
    said = language.enumerate([_sentence(month, language) for month in months])
    bars = "".join(_bar(place, month, language) for place, month in enumerate(months))
    base = TOP + HEIGHT
    return Markup(  # noqa: S704 -- every text in it is escaped
        f'<svg viewBox="0 0 {WIDTH} {base + 36}" role="img" aria-labelledby="tr-t tr-d">'
        f'<title id="tr-t">{escape(title)}</title><desc id="tr-d">{escape(said)}</desc>'
        f'<path class="tick" d="M0 {TOP}H{WIDTH}M0 {TOP + HEIGHT // 2}H{WIDTH}M0 {base}H{WIDTH}"/>{bars}</svg>'
    )


def _sentence(month: MonthShare, language: PageLanguage) -> str:
    return language.gettext(
        "%(month)s: %(on_track)s of %(products)s",
        month=language.month(month.day),
        on_track=language.number(month.on_track),
        products=language.number(month.products),
    )


def _bar(place: int, month: MonthShare, language: PageLanguage) -> str:
    left, share = place * STEP + (STEP - BAR) // 2, month.on_track / month.products
    height, middle, base = round(HEIGHT * share, 1), place * STEP + STEP // 2, TOP + HEIGHT
    percent = f"{formatting.percent(share)} %"
    of = language.gettext("of %(number)s", number=language.number(month.products))
    return (
        f'<path class="c" d="M{left} {base - height:g}h{BAR}V{base}h-{BAR}z"/>'
        f'<text x="{middle}" y="{base - height - 4:g}" text-anchor="middle">{percent}</text>'
        f'<text class="ax" x="{middle}" y="{base + 14}" text-anchor="middle">{escape(language.month(month.day))}</text>'
        f'<text class="ax" x="{middle}" y="{base + 29}" text-anchor="middle">{escape(of)}</text>'
    )
