"""What the additional information of a dosage says about the dose. It is prose: what is not understood is let be.

A phrase of need or a condition makes the dosage as needed; a rate, an amount with a unit, a schedule or a change of
dose is handed on, for the fields may say otherwise. What does not belong here: the fields themselves (grammar.py).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fullscript_pipeline.adherence.dosage.cursor import Cursor
from fullscript_pipeline.adherence.dosage.facts import (
    Fact,
    Length,
    Limit,
    Neutral,
    Parts,
    Pattern,
    Quantity,
    Repeats,
    Times,
    UnreadableError,
)
from fullscript_pipeline.adherence.dosage.grammar import longest_clause
from fullscript_pipeline.adherence.dosage.lexicon import lexicon
from fullscript_pipeline.adherence.dosage.need import names_condition, names_need
from fullscript_pipeline.adherence.dosage.tokens import Token

# 514-555-0199, 1-800-555-0199, 514.555.0199, 2026-12-01.
_REFERENCE = re.compile(r"(?:1-)?\d{3}([-.])\d{3}\1\d{4}|(?:19|20)\d\d-\d\d-\d\d")


@dataclass(frozen=True, kw_only=True)
class Information:
    """`facts`: what is said about the dose; `has_change`: that it changes."""

    is_as_needed: bool
    facts: tuple[Fact, ...]
    has_change: bool

    def conflicts_with(self, facts: Sequence[Fact]) -> bool:
        """Whether it says more about the dose than these facts."""
        return self.has_change or not all(any(_says_same(stated, fact) for fact in facts) for stated in self.facts)


def read_information(tokens: Sequence[Token]) -> Information:
    """Sentence by sentence: advice ("stop if a rash occurs") makes nothing as needed."""
    facts: list[Fact] = []
    is_needed = has_change = False
    for sentence in _sentences(_without_references(tokens)):
        places = range(len(sentence))
        is_advice = any(lexicon().match("advice", sentence, place) for place in places)
        is_conditional = any(names_condition(sentence, place) for place in places)
        is_needed |= any(names_need(sentence, place) for place in places) or (is_conditional and not is_advice)
        has_change |= is_conditional and is_advice
        sentence_facts, changes = _facts(sentence)
        facts += sentence_facts
        has_change |= changes
    return Information(is_as_needed=is_needed, facts=tuple(facts), has_change=has_change)


def _sentences(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    start = 0
    for place, token in enumerate(tokens):
        if token.kind == "sign" and token.text in ".;!?":
            yield tokens[start:place]
            start = place + 1
    yield tokens[start:]


def _without_references(tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens but for phone numbers and dates: numbers that nobody takes."""
    kept: list[Token] = []
    place = 0
    while place < len(tokens):
        end = place + 1
        while end < len(tokens) and tokens[end].is_tight and (tokens[end].kind == "number" or tokens[end].text == "-"):
            end += 1
        if not _REFERENCE.fullmatch("".join(token.text for token in tokens[place:end])):
            kept += tokens[place:end]
        place = end
    return kept


def _facts(tokens: Sequence[Token]) -> tuple[list[Fact], bool]:
    cursor = Cursor(tokens)
    facts: list[Fact] = []
    changes = False
    while cursor.token is not None:
        start = cursor.place
        try:
            clause = longest_clause(cursor) or ()
        except UnreadableError:
            clause, changes = (), True
        # "Half dose" says more than "half".
        names = [lexicon().match(kind, tokens, start) for kind in ("change", "ambiguous")]
        changes |= any(name is not None and name.end > cursor.place for name in names)
        cursor.place = max(cursor.place, start + 1)
        facts += clause
    return [fact for fact, after in pairwise([*facts, Neutral()]) if _is_about_dose(fact, after)], changes


def _is_about_dose(fact: Fact, after: Fact) -> bool:
    if isinstance(fact, Quantity):
        return isinstance(after, (Parts, Times)) or _is_counted(fact)
    if isinstance(fact, Times):
        return fact.is_counted or fact.period > 1
    return isinstance(fact, (Limit, Pattern, Repeats)) or (isinstance(fact, Length) and fact.kind == "finite")


def _is_counted(fact: Quantity) -> bool:
    return fact.unit is not None and fact.unit.kind in ("form", "volume", "weight")


def _says_same(stated: Fact, fact: Fact) -> bool:
    if isinstance(stated, Quantity) and isinstance(fact, Quantity):
        return stated.span == fact.span and (fact.unit is None or fact.unit == stated.unit)
    if isinstance(stated, Times) and isinstance(fact, Times):
        return stated.rate == fact.rate
    return stated == fact
