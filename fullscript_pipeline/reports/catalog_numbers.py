"""Prices, sizes and their differences: as numbers for a workbook, and as the language of a page writes them.

What does not belong here: counts of plans (`catalog_words`), values that are no numbers.
"""

from decimal import Decimal, InvalidOperation

from fullscript_pipeline.catalog import CatalogChange, price_step
from fullscript_pipeline.reports.language import PageLanguage

_FIELDS = frozenset({"msrp", "units"})
_CENT, _TENTH = Decimal("0.01"), Decimal("0.1")


def typed_value(field: str | None, text: str | None) -> Decimal | str | None:
    """A price or a size as a number. An SKU or a UPC stays text: as a number it would lose its leading zeros."""
    if field not in _FIELDS or text is None:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return number if number.is_finite() and abs(number.adjusted()) < 15 else text


def value_words(field: str | None, text: str | None, language: PageLanguage) -> str:
    """A price or a size as the page writes numbers, any other value as Fullscript says it; empty without one."""
    value = typed_value(field, text)
    return language.decimal(value) if isinstance(value, Decimal) else value or ""


def price_words(low: Decimal, high: Decimal, language: PageLanguage) -> str:
    """`19.90`, or a range: `19,90 – 29,90`."""
    return " – ".join(dict.fromkeys(language.decimal(price.quantize(_CENT)) for price in (low, high)))


def sum_words(amount: Decimal, language: PageLanguage) -> str:
    """`+1,200.50`, `+1 200,50`."""
    return language.decimal(amount.quantize(_CENT), is_difference=True)


def difference_words(change: CatalogChange, language: PageLanguage) -> str | None:
    """`+2.50 (+12.5 %)`, `+2,50 (+12,5 %)` if both values are numbers that differ, otherwise None."""
    step, percent = price_step(change)
    if not step:
        return None
    shown = language.decimal(step, is_difference=True)
    return shown if percent is None else f"{shown} ({language.decimal(percent.quantize(_TENTH), is_difference=True)} %)"
