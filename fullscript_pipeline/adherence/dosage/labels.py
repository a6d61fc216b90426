"""What product labels say around a dose: its heading, whom it is for, who decides otherwise. A daily dose has a rate.

What does not belong here: how the dose is taken (asides.py).
"""

from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import ONE, Audience, Neutral, Times, UnreadableError

_YEARS = {"years", "yrs", "y", "ans", "an", "year", "yr"}


def read_label(cursor: Cursor) -> Neutral | Times | None:
    """`Recommended dose:`, `Daily dose:`, `Mode d'emploi :`; without a colon, it may be counted ("2 doses")."""
    is_first = cursor.place == 0
    is_start = is_first or cursor.tokens[cursor.place - 1].kind == "sign"
    if not is_start:
        return None
    is_of_day = cursor.word("day_label") is not None
    if not (is_of_day or cursor.word("label", "nutrient", "companion")):
        return None
    if cursor.attempt(_in_brackets) is None:
        cursor.attempt(read_audience)
    if cursor.sign(":") is None and not (is_first and cursor.sign("-")):
        return None
    return Times(rate=ONE, period=Fraction(1), is_counted=False) if is_of_day else Neutral()


def _in_brackets(cursor: Cursor) -> str | None:
    """`(adults)`, after a heading."""
    return cursor.sign(")") if cursor.sign("(") and read_audience(cursor) else None


def read_audience(cursor: Cursor) -> Audience | None:
    """`adults (18 years and older)`, `adultes et enfants de 4 ans et plus`, `children 2-6:`."""
    who = cursor.word("audience", "child")
    if who is None:
        return None
    is_child = who == "child"
    while another := cursor.attempt(_another_audience):
        is_child &= another == "child"
    has_age = cursor.attempt(_age) is not None
    if not has_age and _is_age_or_length(cursor, is_child=is_child):
        raise UnreadableError("whether an age or a length of time is meant is not said")
    return Audience(is_child=is_child)


def _another_audience(cursor: Cursor) -> str | None:
    """`and children`: one dose for both of them."""
    cursor.attempt(_age)
    joint = cursor.word("and", "or") or cursor.sign("&/,")
    return cursor.word("audience", "child") if joint else None


def read_age(cursor: Cursor) -> Neutral | None:
    """`ages 4+`, `aged 12 years and over`."""
    if cursor.word("age_word") is None:
        return None
    return Neutral() if _numbered_age(cursor, needs_years=True, needs_range=False) else None


def read_not_for(cursor: Cursor) -> Neutral | None:
    """`not recommended for children under 4 or pregnant women`."""
    if cursor.word("not_for") is None or not (cursor.word("not_for_whom", "audience", "child")):
        return None
    cursor.attempt(_age)
    while cursor.attempt(lambda at: (at.word("and", "or") or at.sign(",&/")) and at.word("not_for_whom", "child")):
        cursor.attempt(_age)
    return Neutral()


def _age(cursor: Cursor) -> bool | None:
    """`(2-6 years)`, `6 months old`, `under 12`, `4 to 8 years`, `2-6:`; "for baby, 2 weeks" may be a length."""
    has_comma = cursor.sign(",") is not None
    is_bracket = cursor.sign("(") is not None
    is_over = cursor.word("age_over") is not None
    # "Adultes de 2 à 3 gélules": these words stand before a dose as well.
    needs_years = not is_over or cursor.tokens[cursor.place - 1].text in ("de", "of", "from", "entre", "d")
    age = _numbered_age(cursor, needs_years=needs_years and not is_bracket, needs_range=not is_over or has_comma)
    return age if not is_bracket or cursor.sign(")") else None


def _numbered_age(cursor: Cursor, *, needs_years: bool, needs_range: bool) -> bool | None:
    is_from_birth = cursor.attempt(_from_birth) is not None
    span = read_span(cursor)
    if span is None:
        return None
    years = cursor.attempt(_years)
    is_older = bool(cursor.word("and_older") or cursor.sign("+")) or years == "old"
    is_heading = cursor.token is not None and cursor.token.text == ":"
    # "For infants 1 year" can be how long.
    is_range = is_from_birth or not span.is_single or not needs_range
    return True if is_older or is_heading or not needs_years or (years == "years" and is_range) else None


def _from_birth(cursor: Cursor) -> bool | None:
    """`0-`, before "12 months"."""
    token = cursor.token
    if token is None or token.text != "0":
        return None
    cursor.place += 1
    return True if cursor.sign("-") or cursor.word("to") else None


def _years(cursor: Cursor) -> str | None:
    """ "old" when the words say an age, "years" or "" when it may be how long."""
    start = cursor.place
    if cursor.word("young_years") is None:
        return None
    texts = {token.text for token in cursor.tokens[start : cursor.place]}
    if texts & {"old", "age", "yo", "o"}:
        return "old"
    return "years" if texts & _YEARS else ""


def _is_age_or_length(cursor: Cursor, *, is_child: bool) -> bool:
    """`children 2 weeks`, `adults 1 year`: an adult's age is in years."""
    period = cursor.attempt(_age_or_length)
    return period is not None and (is_child or period == "year")


def _age_or_length(cursor: Cursor) -> str | None:
    cursor.sign(",(")
    return cursor.word("period", "young_years") if read_span(cursor) else None


def read_told(cursor: Cursor) -> Neutral | None:
    """`as directed`, `as recommended by your doctor`, `selon l'avis d'un professionnel de la santé`."""
    if cursor.word("told") is None:
        return None
    cursor.word("told_where") or cursor.attempt(lambda at: at.word("told_by") and at.word("practitioner"))
    return Neutral()
