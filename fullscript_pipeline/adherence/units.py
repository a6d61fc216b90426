"""Units of a dosage and of a pack: what kind each is, and what converts into what.

Sources: volumes and weights by 21 CFR 101.9(b)(5)(viii) (cup 240 mL, tablespoon 15 mL, teaspoon 5 mL, fluid ounce
30 mL, ounce 28 g). What does not belong here: how units are written (the vocabularies in dosage/), numbers and rates.
Drops, droppers and scoops have no legal size, so they convert into nothing but themselves.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Kind = Literal["form", "volume", "weight", "ounce", "strength", "initial", "unknown"]


@dataclass(frozen=True, kw_only=True)
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
# What a letter alone can stand for: a T is a tablet or a tablespoon.
INITIALS = {"t": {"tablet"}, "c": {"capsule"}}
# More of these a day is a strength that lost its unit: nobody takes 500 capsules.
_MOST_PIECES_A_DAY = 50
_PIECES = _SWALLOWED | {"pill", "gummy", "lozenge", "chewable"}
# Taken whole or halved; a tablet can be cut in four.
_WHOLE = _PIECES | {"chew", "packet", "stick", "suppository", "patch", "ampoule"}
_UNDIVIDED = {"drop", "spray", "puff", "pellet"}
_CUT = {"tablet", "caplet", "pill"}
# A bare count up to this is read in the unit of a pack of these forms.
MOST_PIECES_AT_A_TIME = 12
_COUNTED_FORMS = _SWALLOWED | {"gummy", "lozenge", "packet"}


def unit_named(name: str) -> Unit:
    """The unit of a name that the vocabularies use: a size, a strength, else a countable form.

    An "ounce" is marked as such: beside a pack measured by volume it is a fluid ounce, else a weight.
    """
    if name in _MILLILITRES:
        return Unit(name=name, kind="volume", base="volume", factor=Fraction(_MILLILITRES[name]))
    if name in _MILLIGRAMS:
        return Unit(name=name, kind="weight", base="weight", factor=_MILLIGRAMS[name])
    if name == "ounce":
        return Unit(name=name, kind="ounce", base="weight", factor=Fraction(28_000))
    if name in _STRENGTHS:
        return Unit(name=name, kind="strength", base=None, factor=Fraction(1))
    return Unit(name=name, kind="form", base=f"form:{name}", factor=Fraction(1))


def unknown_unit(text: str) -> Unit:
    """A word that is no unit: a powder or an oil is a substance."""
    return Unit(name=text, kind="unknown", base=None, factor=Fraction(1))


def base_per_dose_unit(dose: Unit, pack: Unit) -> Fraction | None:
    """How many base units of `pack` one dose unit is, or None when the two cannot be converted into each other."""
    if dose.kind == "ounce" and pack.kind == "volume":
        return Fraction(30)
    if dose.base is None or dose.base != pack.base:
        return None
    return dose.factor


def is_counted_form(pack: Unit) -> bool:
    """Whether a count that names no unit counts these."""
    return pack.name in _COUNTED_FORMS


def is_believable(unit: Unit, number: Fraction) -> bool:
    """Whether somebody takes so many of the unit in a day."""
    return unit.name not in _PIECES or number <= _MOST_PIECES_A_DAY


def is_doubtful_part(unit: Unit, number: Fraction) -> bool:
    """Whether "2/3" of the unit is more likely 2 or 3 of them: a half of a capsule is taken, two thirds are not."""
    part = number % 1
    is_cut = unit.name in _CUT and part.denominator == 4
    return part > 0 and (unit.name in _UNDIVIDED or (unit.name in _WHOLE and part.numerator > 1 and not is_cut))


def is_swallowed(unit: Unit) -> bool:
    """Whether it is counted and swallowed whole."""
    return unit.name in _SWALLOWED


def is_initial_of(named: Unit, format_unit: Unit) -> bool:
    """Whether a letter is written for the format."""
    return named.kind == "initial" and format_unit.name in INITIALS[named.name]


def is_pill_for(named: Unit, format_unit: Unit) -> bool:
    """Whether "pill" is written for a form that is swallowed whole."""
    return named.name == "pill" and format_unit.name in _SWALLOWED
