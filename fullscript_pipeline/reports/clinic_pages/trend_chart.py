"""Draws the share of products on track by month: inline SVG, a bar per month with its percent and its denominator.

What does not belong here: counting (`clinic_queries`), any figure of a practitioner or a patient.
"""

from collections.abc import Sequence

from markupsafe import Markup, escape

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.clinic_pages.clinic_queries import MonthShare
from fullscript_pipeline.reports.language import PageLanguage

WIDTH, STEP, BAR, TOP, HEIGHT = 720, 60, 40, 20, 90


def draw_trend(months: Sequence[MonthShare], language: PageLanguage) -> Markup | None:
    """The drawing; None without a month. Its description says every number that is drawn."""
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
