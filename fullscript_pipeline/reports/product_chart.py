"""Draws a product's life: a step line of prices for each variant, a band of its availability, and plans by month.

Inline SVG, readable in grayscale and without a script; the tables of the page carry the same facts. What does not
belong here: the facts (the catalog room), which product has a page (`product_pages`).
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal

from markupsafe import Markup, escape

from fullscript_pipeline.catalog import SMALL, ProductHistory, ProductVariant, VariantStretch, shown_plans
from fullscript_pipeline.reports.catalog_numbers import price_words, value_words
from fullscript_pipeline.reports.catalog_words import plans_words
from fullscript_pipeline.reports.chart_axis import AXIS, WIDTH, Scale, axis, day_line
from fullscript_pipeline.reports.language import PageLanguage

# How many variants are drawn; the table has all of them.
MOST_VARIANTS = 6
_PRICES, _BAND, _LANE = 120, 12, 30
_STEP, _BAR, _HEIGHT = 60, 40, 60


def draw_life(history: ProductHistory, day: date, language: PageLanguage, currency: str) -> Markup:
    """Prices and availability from the day first seen until `day`."""
    scale = Scale(start=min(history.first_seen_on, day - timedelta(days=6)), end=day + timedelta(days=1))
    variants = history.variants[:MOST_VARIANTS]
    stretches = {
        variant.variant_id: [one for one in history.stretches if one.variant_id == variant.variant_id]
        for variant in variants
    }
    ground = AXIS + _PRICES + _LANE * len(variants) + 6
    title = language.gettext("Prices and availability over time")
    said = language.gettext(
        "A step line of the price and a band of the availability for each variant, as in the tables."
    )
    parts = [
        axis(scale, ground, language),
        _price_lines(variants, stretches, scale, currency=currency, language=language),
    ]
    for place, variant in enumerate(variants):
        top = AXIS + _PRICES + _LANE * place
        parts.append(_band(place, variant, stretches[variant.variant_id], scale=scale, top=top, language=language))
    parts.append(day_line(day, scale, ground, language))
    return Markup(  # noqa: S704 -- every text in it is escaped
        f'<svg viewBox="0 0 {WIDTH} {ground + 18}" role="img" aria-labelledby="pl-t pl-d">'
        f'<title id="pl-t">{escape(title)}</title><desc id="pl-d">{escape(said)}</desc>{"".join(parts)}</svg>'
    )


def _price_lines(
    variants: Sequence[ProductVariant],
    stretches: dict[str, list[VariantStretch]],
    scale: Scale,
    *,
    currency: str,
    language: PageLanguage,
) -> str:
    prices = [one.price for parts in stretches.values() for one in parts if one.price is not None]
    if not prices:
        return ""
    low, high = min(prices), max(prices)
    span = (high - low) or Decimal(1)

    def height(price: Decimal) -> float:
        return round(AXIS + 14 + float((high - price) / span) * (_PRICES - 34), 1)

    lines = []
    for place, variant in enumerate(variants):
        path = "".join(_steps(stretches[variant.variant_id], scale, height))
        lines.append(f'<path class="l l{place}" d="{path}"/>' if path else "")
    labels = {height(price): f"{price_words(price, price, language)} {currency}" for price in (low, high)}
    return "".join(lines) + "".join(
        f'<text class="ax" x="2" y="{y - 4:g}">{escape(text)}</text>' for y, text in labels.items()
    )


def _steps(stretches: Sequence[VariantStretch], scale: Scale, height: object) -> Iterator[str]:
    """The path of a price: level while it holds, upright where it changes, interrupted while there is none."""
    is_drawn = False
    for one in stretches:
        if one.price is None or one.shortage == "gone":
            is_drawn = False
            continue
        y = height(one.price)  # type: ignore[operator]
        yield f"V{y:g}" if is_drawn else f"M{scale.x_of(one.start):g} {y:g}"
        yield f"H{scale.x_of(one.end or scale.end):g}"
        is_drawn = True


def _band(
    place: int,
    variant: ProductVariant,
    stretches: Sequence[VariantStretch],
    *,
    scale: Scale,
    top: int,
    language: PageLanguage,
) -> str:
    """The name of a variant over its band: filled in stock, open out of stock, nothing while it is gone."""
    units = value_words("units", variant.units, language)
    label = " ".join(part for part in (variant.label, units, variant.unit_of_measure) if part)
    kinds: dict[str, list[str]] = {"c": [], "g": []}
    for one in stretches:
        if one.shortage != "gone":
            x, end = scale.x_of(one.start), scale.x_of(one.end or scale.end)
            kinds["g" if one.shortage else "c"].append(f"M{x:g} {top + 14}H{end:g}v{_BAND}H{x:g}z")
    bars = "".join(f'<path class="{kind}" d="{"".join(paths)}"/>' for kind, paths in kinds.items() if paths)
    return (
        f'<path class="l l{place}" d="M0 {top + 6}h24"/><text x="30" y="{top + 10}">{escape(label[:70])}</text>{bars}'
    )


def draw_plans(plans: Sequence[tuple[date, int]], language: PageLanguage) -> Markup | None:
    """A bar for each month with its number of active plans; a hidden number is a low hatched bar. None without any."""
    shown = plans[-12:]
    if not shown:
        return None
    most = max(5, *(shown_plans(count) or 0 for _, count in shown))
    title = language.gettext("Active plans that recommend it, at the end of each month")
    said = language.enumerate(
        [
            language.gettext("%(month)s: %(plans)s", month=language.month(day), plans=plans_words(count, language))
            for day, count in shown
        ]
    )
    bars = "".join(
        _plan_bar(place, day, count, most=most, language=language) for place, (day, count) in enumerate(shown)
    )
    base = 16 + _HEIGHT
    return Markup(  # noqa: S704 -- every text in it is escaped
        f'<svg viewBox="0 0 {WIDTH} {base + 22}" role="img" aria-labelledby="pp-t pp-d">'
        f'<title id="pp-t">{escape(title)}</title><desc id="pp-d">{escape(said)}</desc>'
        f'<path class="tick" d="M0 {base}H{WIDTH}"/>{bars}</svg>'
    )


def _plan_bar(place: int, day: date, count: int, *, most: int, language: PageLanguage) -> str:
    number = shown_plans(count)
    height = 6 if number is None else round(_HEIGHT * number / most, 1)
    left, middle, base = place * _STEP + (_STEP - _BAR) // 2, place * _STEP + _STEP // 2, 16 + _HEIGHT
    kind = "g" if number is None else "c"
    # The description says it in words, which are wider than a bar in French.
    said = escape(f"<{SMALL}" if number is None else plans_words(count, language))
    return (
        f'<path class="{kind}" d="M{left} {base - height:g}h{_BAR}V{base}h-{_BAR}z"/>'
        f'<text x="{middle}" y="{base - height - 4:g}" text-anchor="middle">{said}</text>'
        f'<text class="ax" x="{middle}" y="{base + 14}" text-anchor="middle">{escape(language.month(day))}</text>'
    )
