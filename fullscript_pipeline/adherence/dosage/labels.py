"""What product labels say around a dose: its heading, whom it is for, who decides otherwise. A daily dose has a rate.

What does not belong here: how the dose is taken (asides.py).
"""

from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import ONE, Audience, Neutral, Times, UnreadableError

_YEARS = {"years", "yrs", "y", "ans", "an", "year", "yr"}


def read_label(cursor: Cursor) -> Neutral | Times | None:
    """`Recommended dose:`, `Daily dose:`, `Mode d'emploi :`; without a colon, it may be counted ("2 doses")."""
    is_start = not cursor.place or cursor.tokens[cursor.place - 1].kind == "sign"
    if not is_start:
        return None
    is_of_day = cursor.word("day_label") is not None
    if not (is_of_day or cursor.word("label")):
        return None
    cursor.attempt(_in_brackets) or cursor.attempt(read_audience)
    if cursor.sign(":") is None:
        return None
    return Times(rate=ONE, period=Fraction(1), is_counted=False) if is_of_day else Neutral()


def _in_brackets(cursor: Cursor) -> str | None:
    """`(adults)`, after a heading."""
    return cursor.sign(")") if cursor.sign("(") and read_audience(cursor) else None


def read_audience(cursor: Cursor) -> Audience | None:
    """`adults (18 years and older)`, `adultes de 18 ans et plus`, `children 2-6:`."""
    who = cursor.word("audience", "child")
    if who is None:
        return None
    is_child = who == "child"
    if cursor.attempt(_young_age if is_child else _age) is None and is_child and cursor.attempt(_age_or_length):
        raise UnreadableError("whether an age or a length of time is meant is not said")
    return Audience(is_child=is_child)


def _young_age(cursor: Cursor) -> bool | None:
    """`(2-6 years)`, `6 months old`, `under 12`, `4 to 8 years`, `2-6:`; "for baby, 2 weeks" may be a length."""
    has_comma = cursor.sign(",") is not None
    is_bracket = cursor.sign("(") is not None
    is_over = cursor.word("age_over") is not None
    if read_span(cursor) is None:
        return None
    years = cursor.attempt(_years)
    is_older = bool(cursor.word("and_older") or cursor.sign("+")) or years == "old"
    if is_bracket:
        return True if cursor.sign(")") else None
    is_heading = cursor.token is not None and cursor.token.text == ":"
    return True if is_over or is_older or is_heading or (years == "years" and not has_comma) else None


def _years(cursor: Cursor) -> str | None:
    """ "old" when the words say an age, "years" or "" when it may be how long."""
    start = cursor.place
    if cursor.word("young_years") is None:
        return None
    texts = {token.text for token in cursor.tokens[start : cursor.place]}
    if texts & {"old", "age", "yo", "o"}:
        return "old"
    return "years" if texts & _YEARS else ""


def _age_or_length(cursor: Cursor) -> str | None:
    cursor.sign(",(")
    return cursor.word("period", "young_years") if read_span(cursor) else None


def _age(cursor: Cursor) -> bool | None:
    """An age is told from a dose by its years or by "and older"."""
    cursor.sign(",")
    is_bracket = cursor.sign("(") is not None
    is_over = cursor.word("age_over") is not None
    if read_span(cursor) is None:
        return None
    has_years = cursor.word("period") is not None
    if has_years and cursor.tokens[cursor.place - 1].text not in _YEARS:
        return None
    is_older = cursor.word("and_older") is not None or (cursor.sign("+") is not None)
    if not is_older and not (has_years and is_over):
        return None
    return True if not is_bracket or cursor.sign(")") else None


def read_told(cursor: Cursor) -> Neutral | None:
    """`as directed`, `as recommended by your doctor`, `selon l'avis d'un professionnel de la santé`."""
    if cursor.word("told") is None:
        return None
    cursor.word("told_where") or cursor.attempt(lambda at: at.word("told_by") and at.word("practitioner"))
    return Neutral()
