"""What product labels say around a dose: its heading, whom it is for, who decides otherwise. A daily dose has a rate.

What does not belong here: how the dose is taken (asides.py).
"""

from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import ONE, Neutral, Times


def read_label(cursor: Cursor) -> Neutral | Times | None:
    """`Recommended dose:`, `Daily dose:`, `Mode d'emploi :`; without a colon, it may be counted ("2 doses")."""
    is_start = not cursor.place or cursor.tokens[cursor.place - 1].kind == "sign"
    if not is_start:
        return None
    is_of_day = cursor.word("day_label") is not None
    if not (is_of_day or cursor.word("label")) or cursor.sign(":") is None:
        return None
    return Times(rate=ONE, period=Fraction(1), is_counted=False) if is_of_day else Neutral()


def read_audience(cursor: Cursor) -> Neutral | None:
    """`adults`, `adults (18 years and older)`, `adultes de 18 ans et plus`."""
    if cursor.word("audience") is None:
        return None
    cursor.attempt(_age)
    return Neutral()


def _age(cursor: Cursor) -> bool | None:
    """An age is told from a dose by its years or by "and older"."""
    cursor.sign(",")
    is_bracket = cursor.sign("(") is not None
    is_over = cursor.word("age_over") is not None
    if read_span(cursor) is None:
        return None
    has_years = cursor.word("period") is not None
    if has_years and cursor.tokens[cursor.place - 1].text not in ("years", "yrs", "y", "ans", "year", "yr"):
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
