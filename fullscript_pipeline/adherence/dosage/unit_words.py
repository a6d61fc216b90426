"""Units of a dose as they are written: the word with its adjectives and its substance, and which are strengths.

What does not belong here: counts and brackets (quantities.py), what converts into what (adherence/units.py).
"""

from collections.abc import Sequence

from fullscript_pipeline.adherence.dosage.cursor import Cursor
from fullscript_pipeline.adherence.dosage.tokens import Token
from fullscript_pipeline.adherence.units import Unit, unit_named

_STRENGTHS = ("milligram", "microgram")


def read_unit(cursor: Cursor) -> Unit | None:
    """A unit with the adjectives before it and the substance after it: "heaping teaspoons of powder"."""
    place = cursor.place
    cursor.word("of")
    unit = cursor.attempt(_plain_unit)
    plain_end, cursor.place = cursor.place, place
    described = cursor.attempt(_described_unit)
    if described is not None and (unit is None or cursor.place > plain_end):
        unit = described
    else:
        cursor.place = plain_end
    if unit is None:
        cursor.place = place
        return None
    cursor.word("adjective")
    _skip_substance(cursor)
    return unit


def _skip_substance(cursor: Cursor) -> None:
    """`of powder`, `of magnesium glycinate`, `ground flaxseed`: the longer of what it can be."""
    start = cursor.place
    cursor.word("substance", "nutrient")
    end, cursor.place = cursor.place, start
    if cursor.attempt(_described_substance) is None or cursor.place < end:
        cursor.place = end


def _described_substance(cursor: Cursor) -> str | None:
    cursor.word("of")
    while cursor.word("adjective", "liquid_kind"):
        pass
    return cursor.word("substance", "nutrient", "companion")


def read_unit_alone(cursor: Cursor) -> Unit | None:
    """A unit without what it is of: in "1 cup of tea" the tea may be what something else is stirred into."""
    cursor.word("adjective")
    return cursor.attempt(_plain_unit)


def _described_unit(cursor: Cursor) -> Unit | None:
    cursor.word("of")
    # "Magnesium capsules", "enzyme tablet": what is inside is no second thing.
    while cursor.word("adjective", "nutrient", "companion", "substance"):
        unit = cursor.attempt(_plain_unit)
        if unit is not None:
            return cursor.attempt(_described_unit) or unit
    return None


def _plain_unit(cursor: Cursor) -> Unit | None:
    if cursor.sign("%"):
        return unit_named("%")
    name = cursor.word("unit", "strength")
    return None if name is None else unit_named(name)


def is_strength(unit: Unit | None) -> bool:
    """Whether it says how much is inside, not how many."""
    return unit is not None and (unit.kind == "strength" or unit.name in _STRENGTHS)


def is_weight_or_strength(unit: Unit | None) -> bool:
    """Whether it is a strength or a weight, that can be one."""
    return unit is not None and unit.kind in ("strength", "weight")


def names_strength(tokens: Sequence[Token]) -> bool:
    """Whether the text names a weight or a strength, wherever it is."""
    cursor = Cursor(tokens)
    for place in range(len(tokens)):
        cursor.place = place
        if is_weight_or_strength(read_unit(cursor)):
            return True
    return False
