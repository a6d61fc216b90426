"""From the tokens of a field to facts: the longest clause that starts at a place is taken, then the next, to the end.

A clause that no rule reads ends the reading, so every word is consumed by a rule or the text is refused. A new way of
saying things is a rule in quantities.py, limits.py, periods.py, patterns.py,
moments.py, lengths.py, asides.py or labels.py; a new word a line in a vocabulary.
What does not belong here: what the facts of all fields mean together (meaning.py).
"""

from collections.abc import Callable, Sequence

from fullscript_pipeline.adherence.dosage import (
    asides,
    labels,
    lengths,
    limits,
    moments,
    patterns,
    periods,
    quantities,
)
from fullscript_pipeline.adherence.dosage.cursor import Cursor
from fullscript_pipeline.adherence.dosage.facts import (
    Fact,
    Facts,
    Joint,
    Length,
    NotUnderstoodError,
    Quantity,
    UnreadableError,
)
from fullscript_pipeline.adherence.dosage.lexicon import lexicon
from fullscript_pipeline.adherence.dosage.tokens import Token

Rule = Callable[[Cursor], Fact | Facts | None]
# Signs that only part clauses.
_PARTING = ",;:.!()-+&/"

_CLAUSES: tuple[Rule, ...] = (
    limits.read_limit,
    limits.read_total,
    limits.read_divided_day,
    limits.read_divided,
    quantities.read_quantity,
    quantities.read_sites,
    quantities.read_strength_aside,
    moments.read_labelled_quantity,
    moments.read_parts,
    moments.read_meals,
    periods.read_times,
    periods.read_doses,
    periods.read_repeated,
    limits.read_doses_of,
    periods.read_interval,
    periods.read_period,
    patterns.read_days_of,
    patterns.read_cycle,
    patterns.read_weekdays,
    lengths.read_length,
    lengths.read_end,
    lengths.read_review,
    asides.read_preparation,
    asides.read_liquid,
    asides.read_distance,
    asides.read_hold,
    asides.read_worn,
    asides.read_body,
    asides.read_together,
    asides.read_storage,
    asides.read_dispensed,
    asides.read_purpose,
    asides.read_neutral,
    labels.read_label,
    labels.read_audience,
    labels.read_age,
    labels.read_not_for,
    labels.read_told,
)


def read_facts(tokens: Sequence[Token]) -> Facts:
    """What a field states, in its order. Raises UnreadableError at the first place that no clause reads."""
    cursor = Cursor(tokens)
    facts: list[Fact] = []
    while cursor.token is not None:
        start = cursor.place
        clause = longest_clause(cursor)
        if clause is None:
            clause = _parting(cursor)
        if clause is None:
            raise NotUnderstoodError(_not_understood(tokens, cursor.place))
        _refuse_two_numbers(facts, clause)
        _refuse_two_lengths(facts, clause, tokens[start - 1] if start else None)
        facts += clause
    if facts and isinstance(facts[-1], Joint):
        raise UnreadableError("the text ends in the middle")
    return tuple(facts)


def _refuse_two_numbers(facts: Sequence[Fact], clause: Facts) -> None:
    """ "1 2 daily" and "1, 2 or 3" are no clear count: a bare number is not followed by another."""
    last = facts[-1] if facts else None
    is_bare = isinstance(last, Quantity) and last.unit is None
    if is_bare and clause and isinstance(clause[0], Quantity):
        raise UnreadableError("two numbers stand next to each other")


def _refuse_two_lengths(facts: Sequence[Fact], clause: Facts, before: Token | None) -> None:
    """ "For 10 days, off 10 days": a second length is a pause, unless a bracket repeats the first ("(84 days)")."""
    is_again = any(_is_finite(fact) for fact in facts) and any(_is_finite(fact) for fact in clause)
    if is_again and (before is None or before.text not in "(="):
        raise UnreadableError("different lengths of time are given")


def _is_finite(fact: Fact) -> bool:
    return isinstance(fact, Length) and fact.kind == "finite"


def longest_clause(cursor: Cursor) -> Facts | None:
    """The facts of the clause that takes most tokens; of equally long ones, the first rule's."""
    start = best_end = cursor.place
    best: Facts | None = None
    doubt: UnreadableError | None = None
    for rule in _CLAUSES:
        cursor.place = start
        try:
            clause = rule(cursor)
        except UnreadableError as error:
            doubt = doubt or error
            continue
        if clause is not None and cursor.place > best_end:
            best, best_end = clause if isinstance(clause, tuple) else (clause,), cursor.place
    cursor.place = best_end
    if doubt is not None:
        raise doubt
    return best


def _parting(cursor: Cursor) -> Facts | None:
    """What stands between clauses. "and" and "or" are kept: they can change what two clauses mean together."""
    token = cursor.token
    is_joint = token is not None and (cursor.word("or") or cursor.word("and"))
    if is_joint and token is not None:
        return (Joint(word="or" if lexicon().match("or", (token,), 0) else "and"),)
    if token is not None and token.text == "-" and _is_minus(cursor):
        raise UnreadableError("a negative number is no dose")
    sign = cursor.sign(_PARTING)
    if sign is None:
        return None
    return (Joint(word="and"),) if sign in "+&/" else ()


def _is_minus(cursor: Cursor) -> bool:
    """A dash right before a number with nothing right before the dash."""
    after = cursor.tokens[cursor.place + 1 : cursor.place + 2]
    dash = cursor.tokens[cursor.place]
    return bool(after) and after[0].kind in ("number", "fraction") and after[0].is_tight and not dash.is_tight


def _not_understood(tokens: Sequence[Token], place: int) -> tuple[Token, ...]:
    """The words of no vocabulary; when all are known, the words from where the reading ended."""
    unknown = tuple(token for token in tokens if token.kind == "word" and not lexicon().knows(token.text))
    return unknown or tuple(tokens[place : place + 4])
