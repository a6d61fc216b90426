"""What a field means when it holds nothing else: "N/A", a bare number as a duration, "3 bottles", "day".

What does not belong here: clauses that stand among others (grammar.py).
"""

from collections.abc import Sequence
from fractions import Fraction

from fullscript_pipeline.adherence.dosage.cursor import Cursor, read_span
from fullscript_pipeline.adherence.dosage.facts import ONE, Facts, Length, Times
from fullscript_pipeline.adherence.dosage.lengths import read_length, read_review
from fullscript_pipeline.adherence.dosage.lexicon import lexicon
from fullscript_pipeline.adherence.dosage.tokens import Token, tokenize

_NOTHING = {("n", "/", "a"), ("na",), ("none",), ("-",), ("nil",), ("null",), ("aucun",), ("aucune",), ("s", "/", "o")}
_DAY = {"day", "jour"}


def read_whole_field(name: str, tokens: Sequence[Token]) -> Facts | None:
    """The facts of such a field, or None when it is to be read clause by clause."""
    while tokens and tokens[-1].text in (".", ","):
        tokens = tokens[:-1]
    texts = tuple(token.text for token in tokens)
    if not texts or texts in _NOTHING:
        return ()
    if name == "frequency" and len(texts) == 1 and texts[0] in _DAY:
        return (Times(rate=ONE, period=Fraction(1), is_counted=False),)
    return (_period_alone(tokens) or _supply(tokens) or _stage(tokens)) if name == "duration" else None


def _period_alone(tokens: Sequence[Token]) -> Facts | None:
    """ "a week" is a length here, and a frequency in any other place."""
    cursor = Cursor(tokens)
    length = read_length(cursor) if lexicon().match("article", tokens, 0) else None
    return (length,) if length is not None and cursor.token is None else None


def _supply(tokens: Sequence[Token]) -> Facts | None:
    """A number without a period, or a number of packs: how many days that is, nobody knows."""
    cursor = Cursor(tokens)
    cursor.word("for")
    if read_span(cursor) is None:
        return None
    if cursor.token is None:
        return (Length(kind="unparsable", reason="it is a number without days, weeks or months"),)
    if cursor.word("period"):
        return (
            (Length(kind="unparsable", reason="it is a supply, not a length"),) if _ends_with_supply(cursor) else None
        )
    if cursor.word("container") is None:
        return None
    cursor.word("supply")
    cursor.sign(",;-.")
    cursor.attempt(read_review)
    return (Length(kind="unparsable", reason="it is a supply, not a length"),) if cursor.token is None else None


def _stage(tokens: Sequence[Token]) -> Facts | None:
    """`second trimester`: whose last day is not known."""
    cursor = Cursor(tokens)
    is_stage = cursor.word("stage") is not None and cursor.token is None
    return (Length(kind="unparsable", reason="it ends at an event, not on a date"),) if is_stage else None


def _ends_with_supply(cursor: Cursor) -> bool:
    return cursor.word("supply") is not None and cursor.token is None


def rejoin_unit(amount: str, frequency: str) -> tuple[str, str] | None:
    """A unit that was cut from its number: ("1", "tablet per day") is ("1 tablet", "per day"). None without one.

    The cut may be a semicolon: a whole sig is one field.
    """
    if not tokenize(frequency):
        amount, _, frequency = amount.partition(";")
    amount = amount.rstrip(" .")
    number, words = Cursor(tokenize(amount)), tokenize(frequency)
    unit = lexicon().match("unit", words, 0)
    if unit is None or read_span(number) is None or number.token is not None:
        return None
    end = words[unit.end - 1].end
    return f"{amount} {frequency[:end]}", frequency[end:]
