"""Whether a text leaves it to the patient's need or to a condition ("as needed", "si besoin", "if constipated").

What does not belong here: rates; a dosage as needed has none.
"""

from collections.abc import Sequence

from fullscript_pipeline.adherence.dosage.cursor import Cursor
from fullscript_pipeline.adherence.dosage.facts import UnreadableError
from fullscript_pipeline.adherence.dosage.grammar import longest_clause
from fullscript_pipeline.adherence.dosage.lexicon import lexicon
from fullscript_pipeline.adherence.dosage.tokens import Token


def is_as_needed(tokens: Sequence[Token]) -> bool:
    """A phrase of need, or a condition, anywhere in the text and not denied ("not as needed").

    "May double during illness" changes a dose that is not as needed.
    """
    places = range(len(tokens))
    if any(names_need(tokens, place) for place in places):
        return True
    is_conditional = any(names_condition(tokens, place) for place in places)
    return is_conditional and not any(lexicon().match("change", tokens, place) for place in places)


def names_need(tokens: Sequence[Token], place: int) -> bool:
    """Whether a phrase such as "as needed" starts here."""
    return _starts(tokens, place, "prn")


def names_condition(tokens: Sequence[Token], place: int) -> bool:
    """Whether a condition starts here: "if ...", "at onset of ...". "When you wake up" is a time of day."""
    return _starts(tokens, place, "condition")


def _starts(tokens: Sequence[Token], place: int, kind: str) -> bool:
    match = lexicon().match(kind, tokens, place)
    if match is None or (place and lexicon().match("not", tokens, place - 1)):
        return False
    change = lexicon().match("change", tokens, place)
    if change is not None and change.end > match.end:
        return False
    cursor = Cursor(tokens)
    cursor.place = place
    try:
        read = longest_clause(cursor)
    except UnreadableError:
        return True
    return read is None or cursor.place <= match.end
