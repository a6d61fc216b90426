"""How much: counts and their units, and brackets with a strength or a conversion.

What does not belong here: limits and totals (limits.py), how often (periods.py), whether the unit fits the format
(reader.py).
"""

from collections.abc import Sequence
from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import ONE, Limit, Neutral, Quantity, Sites, Span, UnreadableError
from fullscript_pipeline.adherence.dosage.tokens import Token
from fullscript_pipeline.adherence.units import Unit, base_per_dose_unit, unit_named

# Counts of these are whole and can be large: 1,000 drops are a thousand.
_COUNTED_IN_THOUSANDS = {"drop"}
# "2 AM" is a count, "8 AM" an hour.
_MOST_AT_AM = 4
_STRENGTHS = ("milligram", "microgram")


def read_quantity(cursor: Cursor) -> Quantity | Limit | None:
    """`2 capsules`, `half a tablet`, `2 x 500 mg softgels`, `1 capsule (500 mg)`, `2 capsules or more`."""
    at_least = cursor.attempt(_at_least_counted)
    first = at_least or cursor.attempt(_pieces_of_strength) or cursor.attempt(read_counted)
    if first is None:
        return None
    quantity = cursor.attempt(lambda at: _to_another(at, first)) or first
    aside = cursor.attempt(lambda at: _aside(at, quantity.unit))
    if aside is not None:
        quantity = _beside(quantity, aside)
    if at_least or cursor.word("or_more") or _plus_alone(cursor):
        if not quantity.span.is_single:
            raise UnreadableError("a limit on a range is doubtful")
        return Limit(bound="at least", span=quantity.span, counts_times=False, unit=quantity.unit)
    return quantity


def _at_least_counted(cursor: Cursor) -> Quantity | None:
    """`2 or more capsules`, `2+ capsules`."""
    span = read_span(cursor)
    if span is None or not (cursor.word("or_more") or _plus_alone(cursor)):
        return None
    return Quantity(span=span, unit=read_unit(cursor))


def _plus_alone(cursor: Cursor) -> bool:
    """`2+`: a plus right after the number with no number after it."""
    token = cursor.token
    if token is None or token.text != "+" or not token.is_tight:
        return False
    after = cursor.tokens[cursor.place + 1 : cursor.place + 2]
    if after and after[0].kind != "word":
        return False
    cursor.place += 1
    return True


def read_counted(cursor: Cursor) -> Quantity | None:
    """A count with its unit, or a bare count."""
    place = cursor.place
    if cursor.word("article"):
        unit = read_unit(cursor)
        if unit is not None:
            return Quantity(span=ONE, unit=unit)
        cursor.place = place
    number = cursor.token.text if cursor.token else ""
    span = read_span(cursor, allow_grouped=True)
    if span is None:
        return None
    unit = read_unit(cursor)
    if unit is not None:
        half = cursor.attempt(read_and_a_half)
        span = Span(low=span.low + half, high=span.high + half) if half and span.is_single else span
    is_grouped = "," in number and span.low >= 1000
    if is_grouped and (unit is None or unit.name not in _COUNTED_IN_THOUSANDS) and not is_strength(unit):
        return Quantity(span=span, unit=unit, grouped=number)
    if unit is None:
        _refuse_double_meaning(cursor, span)
    return Quantity(span=span, unit=unit)


def _refuse_double_meaning(cursor: Cursor, span: Span) -> None:
    """`2 weekly` is twice a week or every two weeks, `8 am` an hour or a count."""
    place = cursor.place
    if span.high > _MOST_AT_AM and cursor.word("am_pm"):
        raise UnreadableError("whether a number is an hour or a count is not said")
    if span != ONE and cursor.word("adverb") in ("week", "fortnight", "month", "year"):
        raise UnreadableError("the frequency has two meanings (twice in a period, or every two)")
    cursor.place = place


def read_and_a_half(cursor: Cursor) -> Fraction | None:
    """`and a half`, after what it is a half of."""
    if cursor.word("range_and") is None:
        return None
    cursor.word("article", "number")
    fraction = cursor.word("fraction")
    return None if fraction is None else Fraction(fraction)


def _pieces_of_strength(cursor: Cursor) -> Quantity | None:
    """`2 x 500 mg capsules`, `one 1000 IU softgel`: a count, a strength, and what is counted."""
    first = cursor.token
    span = read_span(cursor) or (cursor.word("article") and ONE)
    if not isinstance(span, Span) or first is None:
        return None
    # "2 500 mg" may be 2,500: the count stands apart in words or by an x.
    if cursor.word("x") is None and first.kind != "word":
        return None
    strength = read_span(cursor, allow_grouped=True)
    if strength is None or not _is_weight_or_strength(read_unit(cursor)):
        return None
    unit = read_unit(cursor)
    return Quantity(span=span, unit=unit) if unit is not None and unit.kind == "form" else None


def _to_another(cursor: Cursor, first: Quantity) -> Quantity | None:
    """`1 capsule to 2 capsules`, `1 cap or 2`."""
    if first.unit is None or not first.span.is_single or not (cursor.sign("-") or cursor.word("to")):
        return None
    second = read_span(cursor)
    if second is None or not second.is_single:
        return None
    unit = read_unit(cursor)
    if unit is not None and unit != first.unit:
        raise UnreadableError("two different units are given to choose from")
    if second.high < first.span.low or (unit is None and cursor.token is not None):
        return None
    return Quantity(span=Span(low=first.span.low, high=second.high), unit=first.unit)


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
    """`of powder`, `of magnesium glycinate`: the longer of what it can be."""
    start = cursor.place
    cursor.word("substance", "nutrient")
    end, cursor.place = cursor.place, start
    if not (cursor.word("of") and cursor.word("nutrient")) or cursor.place < end:
        cursor.place = end


def read_unit_alone(cursor: Cursor) -> Unit | None:
    """A unit without what it is of: in "1 cup of tea" the tea may be what something else is stirred into."""
    cursor.word("adjective")
    return cursor.attempt(_plain_unit)


def _described_unit(cursor: Cursor) -> Unit | None:
    cursor.word("of")
    while cursor.word("adjective"):
        unit = cursor.attempt(_plain_unit)
        if unit is not None:
            return cursor.attempt(_described_unit) or unit
    return None


def _plain_unit(cursor: Cursor) -> Unit | None:
    if cursor.sign("%"):
        return unit_named("%")
    name = cursor.word("unit", "strength")
    return None if name is None else unit_named(name)


def _aside(cursor: Cursor, own: Unit | None) -> Quantity | None:
    """A strength or a conversion after the amount, in brackets, after "=", or right behind its unit ("2 500 mg" is one
    number to some)."""
    is_bracket = cursor.sign("(") is not None
    is_equal = not is_bracket and cursor.sign("=") is not None
    if not is_bracket and not is_equal:
        cursor.sign(",") or cursor.word("of")
    else:
        cursor.sign("=~")
        cursor.word("total", "approximately")
    span = read_span(cursor, allow_grouped=True)
    unit = read_unit(cursor) if span else None
    if span is None or not (is_bracket or (own is not None and (is_equal or _is_weight_or_strength(unit)))):
        return None
    _skip_nutrient(cursor, unit)
    _skip_per_piece(cursor)
    if is_bracket and cursor.attempt(_end_of_bracket) is None:
        return None
    return Quantity(span=span, unit=unit)


def _skip_nutrient(cursor: Cursor, unit: Unit | None) -> None:
    """What the strength is of: `800 mg EPA`, `200 mg of elemental magnesium`."""
    if _is_weight_or_strength(unit):
        cursor.word("nutrient")


def _end_of_bracket(cursor: Cursor) -> bool | None:
    """The end of a bracket after one strength or several: `(600 mg EPA, 400 mg DHA)`."""
    while cursor.sign(")") is None:
        cursor.sign(",/&+") or cursor.word("and")
        if read_span(cursor, allow_grouped=True) is None:
            return None
        unit = read_unit(cursor)
        if not is_strength(unit):
            return None
        _skip_nutrient(cursor, unit)
    return True


def _skip_per_piece(cursor: Cursor) -> None:
    """`500 mg each`, `500 mg per capsule`, `1000 mg total`."""
    place = cursor.place
    if cursor.word("total_tail"):
        return
    if cursor.word("each_unit") or cursor.sign("/"):
        unit = read_unit(cursor)
        if unit is not None or cursor.tokens[cursor.place - 1].text in ("each", "ea", "chacun", "chacune"):
            return
    cursor.place = place


def _beside(quantity: Quantity, aside: Quantity) -> Quantity:
    """The quantity, after the aside has been held against it."""
    if aside.unit is None:
        if aside.span != quantity.span:
            raise UnreadableError("two different numbers stand for one")
        return quantity
    if quantity.unit is None:
        if aside.unit.kind == "form" and aside.span != quantity.span:
            raise UnreadableError("two different numbers stand for one")
        return Quantity(span=quantity.span, unit=aside.unit) if aside.unit.kind == "form" else quantity
    if is_strength(quantity.unit) and aside.unit.kind == "form":
        return Quantity(span=aside.span, unit=aside.unit)
    factor, own = base_per_dose_unit(quantity.unit, aside.unit), aside.unit.factor
    if factor is not None and quantity.span.times(Span(low=factor, high=factor)) != aside.span.times(
        Span(low=own, high=own)
    ):
        raise UnreadableError("the amount and the conversion beside it disagree")
    return quantity


def is_strength(unit: Unit | None) -> bool:
    return unit is not None and (unit.kind == "strength" or unit.name in _STRENGTHS)


def _is_weight_or_strength(unit: Unit | None) -> bool:
    return unit is not None and unit.kind in ("strength", "weight")


def names_strength(tokens: Sequence[Token]) -> bool:
    """Whether the text names a weight or a strength, wherever it is."""
    cursor = Cursor(tokens)
    for place in range(len(tokens)):
        cursor.place = place
        if _is_weight_or_strength(read_unit(cursor)):
            return True
    return False


def read_sites(cursor: Cursor) -> Sites | None:
    """`in each nostril`, `per eye`: on both sides."""
    return Sites() if cursor.word("site") else None


def read_strength_aside(cursor: Cursor) -> Neutral | None:
    """A bracket that holds only a strength, away from the amount: "daily (500 mg)"."""
    if cursor.sign("(") is None:
        return None
    span = read_span(cursor, allow_grouped=True)
    if span is None or not is_strength(read_unit(cursor)):
        return None
    _skip_per_piece(cursor)
    return Neutral() if cursor.sign(")") else None
