"""Units of a dosage and of a pack: what kind each is, and what converts into what.

Sources: volumes and weights by 21 CFR 101.9(b)(5)(viii) (cup 240 mL, tablespoon 15 mL, teaspoon 5 mL, fluid ounce
30 mL, ounce 28 g). What does not belong here: how units are written (the vocabularies in dosage/), numbers and rates.
Drops, droppers and scoops have no legal size, so they convert into nothing but themselves.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Kind = Literal["form", "volume", "weight", "ounce", "strength", "unknown"]


@dataclass(frozen=True)
class Unit:
    """A folded unit: `name` for people, `base` (`form:capsule`, `volume`, `weight`) and how many base units one is.

    The base units are the millilitre, the milligram and one piece of the form.
    """

    name: str
    kind: Kind
    base: str | None
    factor: Fraction


_MILLILITRES = {"milliliter": 1, "teaspoon": 5, "tablespoon": 15, "fluid ounce": 30, "cup": 240, "liter": 1000}
_MILLIGRAMS = {
    "milligram": Fraction(1),
    "microgram": Fraction(1, 1000),
    "gram": Fraction(1000),
    "kilogram": Fraction(1_000_000),
}
_STRENGTHS = {"iu", "cfu", "billion cfu", "million cfu", "billion", "%", "mcg dfe", "mg ne", "mcg rae", "meq"}
# Words for whatever is swallowed whole: they mean the format they stand beside.
_SWALLOWED = {"capsule", "tablet", "softgel", "caplet"}


def unit_named(name: str) -> Unit:
    """The unit of a name that the vocabularies use: a size, a strength, else a countable form.

    An "ounce" is marked as such: beside a pack measured by volume it is a fluid ounce, else a weight.
    """
    if name in _MILLILITRES:
        return Unit(name, "volume", "volume", Fraction(_MILLILITRES[name]))
    if name in _MILLIGRAMS:
        return Unit(name, "weight", "weight", _MILLIGRAMS[name])
    if name == "ounce":
        return Unit(name, "ounce", "weight", Fraction(28_000))
    if name in _STRENGTHS:
        return Unit(name, "strength", None, Fraction(1))
    return Unit(name, "form", f"form:{name}", Fraction(1))


def unknown_unit(text: str) -> Unit:
    """A word that is no unit: a powder or an oil is a substance."""
    return Unit(text, "unknown", None, Fraction(1))


def base_per_dose_unit(dose: Unit, pack: Unit) -> Fraction | None:
    """How many base units of `pack` one dose unit is, or None when the two cannot be converted into each other."""
    if dose.kind == "ounce" and pack.kind == "volume":
        return Fraction(30)
    if dose.base is None or dose.base != pack.base:
        return None
    return dose.factor


def is_pill_for(named: Unit, format_unit: Unit) -> bool:
    """Whether "pill" is written for a form that is swallowed whole."""
    return named.name == "pill" and format_unit.name in _SWALLOWED
