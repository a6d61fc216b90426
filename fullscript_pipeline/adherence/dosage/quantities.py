"""How much: counts and their units, and brackets with a strength or a conversion.

What does not belong here: limits and totals (limits.py), how often (periods.py), whether the unit fits the format
(reader.py).
"""

from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import ONE, Limit, Neutral, Quantity, Sites, Span, UnreadableError
from fullscript_pipeline.adherence.dosage.unit_words import is_strength, is_weight_or_strength, read_unit
from fullscript_pipeline.adherence.units import INITIALS, Unit, base_per_dose_unit, is_swallowed

# Counts of these are whole and can be large: 1,000 drops are a thousand.
_COUNTED_IN_THOUSANDS = {"drop"}
# "iv" is into a vein.
_ROMAN = {"i": 1, "ii": 2, "iii": 3}
_MOST_OF_INITIAL = 6
# "2 AM" is a count, "8 AM" an hour.
MOST_AT_AM = 4


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
    if cursor.attempt(_another):
        return Quantity(span=ONE)
    number = cursor.token.text if cursor.token else ""
    span = read_span(cursor, allow_grouped=True)
    if span is None:
        return cursor.attempt(_roman_counted)
    unit = read_unit(cursor) or _initial(cursor, span)
    if unit is not None:
        half = cursor.attempt(read_and_a_half)
        span = Span(low=span.low + half, high=span.high + half) if half and span.is_single else span
    is_grouped = "," in number and span.low >= 1000
    if is_grouped and (unit is None or unit.name not in _COUNTED_IN_THOUSANDS) and not is_strength(unit):
        return Quantity(span=span, unit=unit, grouped=number)
    if unit is None and _is_hour(cursor, span):
        return None
    if unit is None:
        _refuse_double_meaning(cursor, span)
    return Quantity(span=span, unit=unit)


def _another(cursor: Cursor) -> str | None:
    """`another`, behind the first that is counted."""
    is_behind = any(token.kind == "number" for token in cursor.tokens[: cursor.place])
    word = cursor.word("another_one") if is_behind else None
    return word if word and read_unit(cursor) is None and read_span(cursor) is None else None


def _roman_counted(cursor: Cursor) -> Quantity | None:
    """`ii tabs`, `caps ii`, `tab i-ii`: a number only beside what is swallowed."""
    unit = read_unit(cursor)
    low = _roman(cursor)
    high = _roman(cursor) if low is not None and (cursor.sign("-") or cursor.word("to")) else low
    unit = unit or read_unit(cursor)
    if low is None or high is None or high < low or unit is None or not is_swallowed(unit):
        return None
    return Quantity(span=Span(low=low, high=high), unit=unit)


def _roman(cursor: Cursor) -> Fraction | None:
    number = _ROMAN.get(cursor.token.text) if cursor.token else None
    cursor.place += number is not None
    return None if number is None else Fraction(number)


def _initial(cursor: Cursor, span: Span) -> Unit | None:
    """`2T`, `1 C`: what is counted begins with that letter; "30C" is a potency."""
    token = cursor.token
    if token is None or token.text not in INITIALS or span.high > _MOST_OF_INITIAL:
        return None
    cursor.place += 1
    cursor.sign(".")
    if cursor.token is not None and cursor.token.kind == "number" and cursor.token.is_tight:
        # "1 T3": the name of something.
        raise UnreadableError("what is counted is not said")
    return Unit(name=token.text, kind="initial", base=None, factor=Fraction(1))


def _is_hour(cursor: Cursor, span: Span) -> bool:
    """`8am`, in one word: so many are not taken in the morning. moments.py reads it."""
    token = cursor.token
    return span.high > MOST_AT_AM and token is not None and token.is_tight and token.text in ("am", "pm")


def _refuse_double_meaning(cursor: Cursor, span: Span) -> None:
    """`2 weekly` is twice a week or every two weeks, `8 am` an hour or a count."""
    place = cursor.place
    if span.high > MOST_AT_AM and cursor.word("am_pm"):
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
    # "2 500 mg" may be 2,500: the count stands apart in words, by an x or by a bracket.
    has_bracket = cursor.sign("(") is not None
    if not has_bracket and cursor.word("x") is None and first.kind != "word":
        return None
    strength = read_span(cursor, allow_grouped=True)
    if strength is None or not is_weight_or_strength(read_unit(cursor)):
        return None
    if has_bracket and cursor.sign(")") is None:
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
        if unit.kind in ("volume", "ounce") and (cursor.word("of"), cursor.word("liquid"))[1]:
            # "Add 2 scoops to 8 oz of water".
            return None
        raise UnreadableError("two different units are given to choose from")
    if second.high < first.span.low or (unit is None and cursor.token is not None):
        return None
    return Quantity(span=Span(low=first.span.low, high=second.high), unit=first.unit)


def _aside(cursor: Cursor, own: Unit | None) -> Quantity | None:
    """A strength or a conversion after the amount, in brackets, after "=", or right behind its unit ("2 500 mg" is one
    number to some)."""
    is_bracket = cursor.sign("(") is not None
    is_equal = not is_bracket and cursor.sign("=") is not None
    if not is_bracket and not is_equal:
        cursor.sign(",") or cursor.word("of")
    else:
        cursor.word("nutrient")
        cursor.sign("=~:")
        cursor.word("total", "approximately")
    span = read_span(cursor, allow_grouped=True)
    unit = read_unit(cursor) if span else None
    if span is None or not (is_bracket or (own is not None and (is_equal or is_weight_or_strength(unit)))):
        return None
    _skip_nutrient(cursor, unit)
    _skip_per_piece(cursor)
    if is_bracket and cursor.attempt(_end_of_bracket) is None:
        return None
    return Quantity(span=span, unit=unit)


def _skip_nutrient(cursor: Cursor, unit: Unit | None) -> None:
    """What the strength is of: `800 mg EPA`, `200 mg of elemental magnesium`."""
    if is_weight_or_strength(unit):
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


def read_sites(cursor: Cursor) -> Sites | None:
    """`in each nostril`, `per eye`: on both sides."""
    return Sites() if cursor.word("site") else None


def read_strength_aside(cursor: Cursor) -> Neutral | None:
    """A bracket that holds only a strength, away from the amount: "daily (500 mg)"."""
    if cursor.sign("(") is None:
        return None
    cursor.word("nutrient")
    span = read_span(cursor, allow_grouped=True)
    unit = read_unit(cursor) if span else None
    if not is_strength(unit):
        return None
    _skip_nutrient(cursor, unit)
    _skip_per_piece(cursor)
    return Neutral() if cursor.sign(")") else None
