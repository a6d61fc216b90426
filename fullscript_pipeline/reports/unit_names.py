"""The names of units of a dose or a pack, with an amount: `180 capsules`, `1,5 comprimé`.

A unit without a name here is written as the mart has it. What does not belong here: what converts into what
(`adherence.units`).
"""

from fractions import Fraction
from functools import lru_cache

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import PageLanguage, translatable_plural

_NAMES = {
    "capsule": translatable_plural("%(num)s capsule", "%(num)s capsules"),
    "softgel": translatable_plural("%(num)s softgel", "%(num)s softgels"),
    "tablet": translatable_plural("%(num)s tablet", "%(num)s tablets"),
    "caplet": translatable_plural("%(num)s caplet", "%(num)s caplets"),
    "pill": translatable_plural("%(num)s pill", "%(num)s pills"),
    "gummy": translatable_plural("%(num)s gummy", "%(num)s gummies"),
    "lozenge": translatable_plural("%(num)s lozenge", "%(num)s lozenges"),
    "chewable": translatable_plural("%(num)s chewable", "%(num)s chewables"),
    "packet": translatable_plural("%(num)s packet", "%(num)s packets"),
    "sachet": translatable_plural("%(num)s sachet", "%(num)s sachets"),
    "drop": translatable_plural("%(num)s drop", "%(num)s drops"),
    "dropper": translatable_plural("%(num)s dropper", "%(num)s droppers"),
    "scoop": translatable_plural("%(num)s scoop", "%(num)s scoops"),
    "spray": translatable_plural("%(num)s spray", "%(num)s sprays"),
    "pump": translatable_plural("%(num)s pump", "%(num)s pumps"),
    "serving": translatable_plural("%(num)s serving", "%(num)s servings"),
    "piece": translatable_plural("%(num)s piece", "%(num)s pieces"),
    "teaspoon": translatable_plural("%(num)s teaspoon", "%(num)s teaspoons"),
    "tablespoon": translatable_plural("%(num)s tablespoon", "%(num)s tablespoons"),
    "cup": translatable_plural("%(num)s cup", "%(num)s cups"),
    "ounce": translatable_plural("%(num)s ounce", "%(num)s ounces"),
    "fluid ounce": translatable_plural("%(num)s fluid ounce", "%(num)s fluid ounces"),
}
_SYMBOLS = {
    "milliliter": "mL", "liter": "L", "microgram": "mcg", "milligram": "mg", "gram": "g", "kilogram": "kg",
}  # fmt: skip
_UNKNOWN = translatable_plural("%(num)s unit", "%(num)s units")


@lru_cache(maxsize=5_000)
def units(language: PageLanguage, amount: float | Fraction, unit: str | None) -> str:
    """`180 capsules`, `22.5 mL`, or `2 units` if the unit is not known."""
    return _with_number(language, language.number(amount), float(amount), unit)


def units_between(language: PageLanguage, low: Fraction, high: Fraction, unit: str | None) -> str:
    """`1 to 2 capsules`, or `2 capsules` if both ends are the same; rates are exact: `2/7 capsule`."""
    number = formatting.between(language, formatting.exact(language, low), formatting.exact(language, high))
    return _with_number(language, number, float(high), unit)


def unit_name(language: PageLanguage, unit: str) -> str:
    """`capsule`, `comprimé`, `mL`."""
    return _with_number(language, "", 1.0, unit).strip()


def _with_number(language: PageLanguage, shown: str, amount: float, unit: str | None) -> str:
    """`shown` is the number as it is written; `amount` decides its plural."""
    if unit and unit.lower() not in _NAMES:
        return f"{shown} {_SYMBOLS.get(unit.lower(), unit)}"
    one, many = _NAMES[unit.lower()] if unit else _UNKNOWN
    return language.ngettext(one, many, amount, num=shown)
