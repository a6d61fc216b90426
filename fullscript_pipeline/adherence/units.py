"""Units of a dosage and of a pack: which words mean the same unit, and what converts into what.

Sources: volumes and weights by 21 CFR 101.9(b)(5)(viii) (cup 240 mL, tablespoon 15 mL, teaspoon 5 mL, fluid ounce
30 mL, ounce 28 g). What does not belong here: numbers and rates. Drops, droppers and scoops have no legal size, so
they convert into nothing but themselves.
"""

import re
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


_VOLUMES = {
    "milliliter": (1, "ml mls milliliter millilitre cc"),
    "teaspoon": (5, "tsp teaspoon teaspoonful"),
    "tablespoon": (15, "tbsp tbs tablespoon tablespoonful"),
    "fluid ounce": (30, "fl oz|floz|fluid oz|fluid ounce|fl ounce|oz fl"),
    "cup": (240, "cup"),
    "liter": (1000, "l liter litre"),
}
_WEIGHTS = {
    "milligram": (Fraction(1), "mg mgs milligram milligramme"),
    "microgram": (Fraction(1, 1000), "mcg ug µg μg microgram"),
    "gram": (Fraction(1000), "g gm gram gramme"),
    "kilogram": (Fraction(1_000_000), "kg kilogram"),
}
# One name for every spelling of a countable form. Different forms never convert into each other.
_FORMS = {
    "capsule": "cap|capsule",
    "softgel": "softgel|soft gel|soft-gel|gelcap|gel cap|softgel capsule|soft gel capsule",
    "tablet": "tab|tablet|chewable",
    "caplet": "caplet",
    "lozenge": "lozenge|troche",
    "gummy": "gummy|gummie",
    "packet": "packet|pkt|sachet",
    "stick": "stick|stick pack",
    "scoop": "scoop|scoopful",
    "drop": "drop|gtt",
    "dropper": "dropper|dropperful|dropper full",
    "tea bag": "tea bag|teabag",
    "ampoule": "ampoule|ampule",
    "chew": "chew|soft chew",
} | {
    word: word
    for word in (
        *("spray", "pump", "serving", "wafer", "bar", "patch", "suppository", "vial"),
        *("pellet", "pill", "piece", "strip", "film", "pearl", "pastille", "melt", "lollipop"),
        *("shot", "pouch", "bottle", "can", "puff", "wipe"),
    )
}
# Words before a form that do not change how it is counted: "veggie caps", "V-caps", "chewable tablets".
_ADJECTIVE = re.compile(
    r"^(?:(?:vegetarian|vegetable|veggie|vegan|vegi|veg|v|chewable|mini|micro|liquid|sublingual|effervescent"
    r"|(?:quick|fast|rapid)?[ -]?(?:dissolving|dissolve|melting|melt)|(?:delayed|time|timed|sustained|extended)"
    r"[ -]released?|(?:enteric|film)?[ -]?coated|enteric|acid[ -]resistant)[ -]?)+(?=[a-z])"
)
_STRENGTHS = {"iu", "international unit", "cfu", "billion cfu", "billion", "%", "mcg dfe", "mg ne", "mcg rae"}


def _table() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for name, (ml, words) in _VOLUMES.items():
        for word in words.split("|") if "|" in words else words.split():
            table[word] = Unit(name, "volume", "volume", Fraction(ml))
    for name, (mg, words) in _WEIGHTS.items():
        for word in words.split():
            table[word] = Unit(name, "weight", "weight", mg)
    for name, words in _FORMS.items():
        for word in words.split("|"):
            table[word] = Unit(name, "form", f"form:{name}", Fraction(1))
    for word in ("oz", "ounce"):
        table[word] = Unit("ounce", "ounce", "weight", Fraction(28_000))
    for word in _STRENGTHS:
        table[word] = Unit(word, "strength", None, Fraction(1))
    return table


_TABLE = _table()


def fold_unit(text: str) -> Unit | None:
    """The unit a word or phrase means, or None when there is no text.

    Words this table does not hold come back with kind `unknown`: a powder or an oil is a substance, not a unit.
    An "ounce" is marked as such: beside a pack measured by volume it is a fluid ounce, else a weight.
    """
    flat = " ".join(re.sub(r"\(s\)|/s\b|\.| \([a-z -]+\)$", "", text.casefold()).split()).strip(" ,;:")
    if not flat:
        return None
    plain = _ADJECTIVE.sub("", flat)
    return _look_up(flat) or _form(_look_up(plain)) or Unit(flat, "unknown", None, Fraction(1))


def _look_up(word: str) -> Unit | None:
    spellings = (word, word.removesuffix("s"), word.removesuffix("es"), re.sub(r"ies$", "y", word))
    return next((_TABLE[spelling] for spelling in spellings if spelling in _TABLE), None)


def _form(unit: Unit | None) -> Unit | None:
    return unit if unit is not None and unit.kind == "form" else None


def base_per_dose_unit(dose: Unit, pack: Unit) -> Fraction | None:
    """How many base units of `pack` one dose unit is, or None when the two cannot be converted into each other."""
    if dose.kind == "ounce" and pack.kind == "volume":
        return Fraction(30)
    if dose.base is None or dose.base != pack.base:
        return None
    return dose.factor
