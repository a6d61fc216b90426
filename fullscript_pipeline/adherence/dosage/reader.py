"""`parse_dosage`: the texts of a dosage as exact units per day, or the reason why they cannot be read.

Part of the project's contract (docs/architecture.md). It never guesses: every word of amount, frequency and duration is
consumed by a rule of the grammar, or the dosage is `unparsable` with the text as written. What does not belong here:
packs and conversion into what was bought (adherence/units.py, sql/).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from fullscript_pipeline.adherence.dosage.bounds import Rate
from fullscript_pipeline.adherence.dosage.facts import Facts, Length, Limit, Neutral, Quantity, UnreadableError
from fullscript_pipeline.adherence.dosage.folding import fold_unit
from fullscript_pipeline.adherence.dosage.grammar import read_facts
from fullscript_pipeline.adherence.dosage.information import Information, read_information
from fullscript_pipeline.adherence.dosage.meaning import combine
from fullscript_pipeline.adherence.dosage.need import is_as_needed
from fullscript_pipeline.adherence.dosage.result import Dosage, DurationKind
from fullscript_pipeline.adherence.dosage.tokens import Token, tokenize
from fullscript_pipeline.adherence.dosage.unit_words import names_strength
from fullscript_pipeline.adherence.dosage.whole_fields import read_whole_field, rejoin_unit
from fullscript_pipeline.adherence.units import (
    MOST_PIECES_AT_A_TIME,
    Unit,
    is_believable,
    is_doubtful_part,
    is_initial_of,
    is_pill_for,
)

# Longer than any honest dosage field; it also keeps hostile input away from the grammar.
MAX_LENGTH = 200
MAX_INFORMATION = 2000
FIELDS = ("amount", "frequency", "duration")
# All texts of a dosage, as `parse_dosage` takes them.
TEXTS = (*FIELDS, "format", "additional_info")
# Units of which a thousand and more is a dose: 1,000 of them is no 1.
_COUNTED_IN_THOUSANDS = {"drop"}


@dataclass(frozen=True, kw_only=True)
class _Field:
    """A text, and what it states or why it states nothing."""

    name: str
    text: str
    tokens: Sequence[Token]
    facts: Facts
    problem: UnreadableError | None = None


def parse_dosage(
    amount: object,
    frequency: object,
    duration: object = None,
    format: object = None,
    additional_info: object = None,
) -> Dosage:
    """Read a dosage as the vendor writes it: five texts, any of them None. Never raises.

    A phrase that leaves taking it to the patient's need makes the whole dosage `prn`, in any field. Additional
    information changes nothing else; what else it says about the dose raises the flag `conflicting_text`.
    """
    return _read(*(_text(value) for value in (amount, frequency, duration, format, additional_info)))


def _text(value: object) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


@lru_cache(maxsize=8192)
def _read(amount: str, frequency: str, duration: str, format_text: str, info: str) -> Dosage:
    fields = [_field(*named) for named in zip(FIELDS, (amount, frequency, duration), strict=True)]
    length = _own_length(fields[-1])
    if any(is_as_needed(field.tokens) for field in fields):
        return _as_needed(length, in_duration=is_as_needed(fields[-1].tokens))
    information = read_information(tokenize(info[:MAX_INFORMATION]))
    if information.is_as_needed:
        return _as_needed(length)
    if any(field.problem for field in fields):
        rejoined = rejoin_unit(amount, frequency)
        again = _read(*rejoined, duration, format_text, info) if rejoined else None
        return again if again and again.status != "unparsable" else _refused_field(fields, rejoined, length)
    facts = _join_fields(fields)
    try:
        length = _common_length(facts)
        rate = combine(facts)
        _refuse_short_course(rate, length)
        unit = _agreed_unit(rate, facts, fold_unit(format_text[:MAX_LENGTH]))
    except UnreadableError as error:
        return _refused(error, [field for field in fields if field.text.strip()], length)
    dosage = _dosage(rate, unit, length=length, facts=facts, information=information)
    if unit is not None or not _is_small_count(facts):
        return dosage
    texts = [*(field.tokens for field in fields), tokenize(info[:MAX_INFORMATION])]
    return replace(dosage, counts_pack_unit=not any(names_strength(tokens) for tokens in texts))


def _is_small_count(facts: Facts) -> bool:
    """Whether at most so many pieces are taken at a time as somebody swallows, and no odd part of one ("2/3")."""
    counts = [fact.span.high for fact in facts if isinstance(fact, (Quantity, Limit))]
    return bool(counts) and max(counts) <= MOST_PIECES_AT_A_TIME and all((count % 1).numerator < 2 for count in counts)


def _join_fields(fields: Sequence[_Field]) -> Facts:
    """The facts of all fields, with something neutral between two fields: their ends do not touch."""
    return tuple(fact for field in fields for fact in (*field.facts, Neutral()))


@lru_cache(maxsize=4096)
def _field(name: str, text: str) -> _Field:
    if len(text) > MAX_LENGTH:
        return _Field(
            name=name,
            text=text,
            tokens=(),
            facts=(),
            problem=UnreadableError(f"the text is longer than {MAX_LENGTH} characters"),
        )
    tokens = tokenize(text)
    try:
        pieces = [_piece(part, place, piece) for place, (part, piece) in enumerate(_cut(name, tokens))]
        return _Field(name=name, text=text, tokens=tokens, facts=tuple(fact for piece in pieces for fact in piece))
    except UnreadableError as problem:
        return _Field(name=name, text=text, tokens=tokens, facts=(), problem=problem)


def _cut(name: str, tokens: Sequence[Token]) -> Iterator[tuple[str, Sequence[Token]]]:
    """The parts of a field between semicolons: a whole sig in one field is an amount, a frequency and a duration."""
    ends = [place for place, token in enumerate(tokens) if token.text == ";"]
    if not ends:
        yield name, tokens
        return
    start = 0
    for number, end in enumerate((*ends, len(tokens))):
        yield FIELDS[min(number, 2)], tokens[start:end]
        start = end + 1


def _piece(name: str, place: int, tokens: Sequence[Token]) -> Facts:
    facts = read_whole_field(name, tokens)
    return (*([Neutral()] if place else []), *(read_facts(tokens) if facts is None else facts))


def _own_length(field: _Field) -> Length | None:
    """What the duration field says for itself, when the dosage as a whole says nothing."""
    if field.problem is not None:
        return Length(kind="unparsable")
    try:
        return _common_length(field.facts)
    except UnreadableError:
        return Length(kind="unparsable")


def _common_length(facts: Facts) -> Length | None:
    """The one length that is stated; with an end of unknown day beside it, that end."""
    lengths = [fact for fact in facts if isinstance(fact, Length)]
    read = [length for length in lengths if length.kind != "unparsable"]
    if len({(length.kind, length.days) for length in read}) > 1:
        raise UnreadableError("different lengths of time are given")
    unread = [length for length in lengths if length.kind == "unparsable"]
    return next(iter(unread + read), None)


def _refuse_short_course(rate: Rate, length: Length | None) -> None:
    if length is not None and length.days is not None and rate.period > max(length.days, 1):
        raise UnreadableError("the course is shorter than the interval between doses")


def _agreed_unit(rate: Rate, facts: Facts, format_unit: Unit | None) -> Unit | None:
    """The unit of the amount: its own word, else the format; both must agree when both name one."""
    named = rate.unit
    if named is not None and format_unit is not None and _stands_for(named, format_unit):
        named = format_unit
    unit = named or format_unit
    if unit is not None and not is_believable(unit, rate.high or rate.low or Fraction(0)):
        raise UnreadableError("so many a day are more likely a strength")
    if unit is not None and unit.name == "c":
        raise UnreadableError("what is counted is not said")
    if unit is not None and unit.kind == "strength":
        raise UnreadableError(f"{unit.name} is a strength, not a number of units")
    _refuse_doubtful_parts(unit, facts)
    for fact in facts:
        if isinstance(fact, Quantity) and fact.grouped and (unit is None or unit.name not in _COUNTED_IN_THOUSANDS):
            raise UnreadableError(f"{fact.grouped} can be a thousand and more, or one and a part")
    if named is None or named == format_unit:
        return unit
    if named.name in ("milligram", "microgram"):
        # Milligrams of what is inside, unless the format itself is milligrams.
        raise UnreadableError("a strength is given instead of a number of units")
    if format_unit is not None and format_unit.kind != "unknown":
        raise UnreadableError(f"the amount is in {named.name}, the format is {format_unit.name}")
    return named


def _stands_for(named: Unit, format_unit: Unit) -> bool:
    """Whether a pill or a letter is written for the format."""
    return is_pill_for(named, format_unit) or is_initial_of(named, format_unit)


def _refuse_doubtful_parts(unit: Unit | None, facts: Facts) -> None:
    """`2/3 capsules` are two or three of them."""
    spans = [fact.span for fact in facts if isinstance(fact, (Quantity, Limit))]
    for number in (number for span in spans for number in (span.low, span.high)):
        if unit is not None and is_doubtful_part(unit, number):
            raise UnreadableError(f"the fraction {number} is doubtful")


def _as_needed(length: Length | None, *, in_duration: bool = False) -> Dosage:
    kind, days = ("as_needed", None) if in_duration else _kind_and_days(length)
    return Dosage(
        status="prn",
        units_per_day_min=None,
        units_per_day_max=None,
        duration_days=days,
        duration_kind=kind,
        reason="it is to be taken as needed",
    )


def _kind_and_days(length: Length | None) -> tuple[DurationKind, int | None]:
    return ("unspecified", None) if length is None else (length.kind, length.days)


def _refused_field(fields: Sequence[_Field], rejoined: tuple[str, str] | None, length: Length | None) -> Dosage:
    """Refuses for the first field that cannot be read; a unit cut from its number is no reason, if it can be joined."""
    unread = [(field, field.problem) for field in fields if field.problem]
    is_cut = rejoined is not None and not any(_field(*named).problem for named in zip(FIELDS, rejoined, strict=False))
    field, problem = unread[-1 if is_cut else 0]
    return _refused(problem, [field], length)


def _refused(problem: UnreadableError, fields: Sequence[_Field], length: Length | None) -> Dosage:
    """An unparsable dosage: the text as it was written, and the words that were not understood."""
    kind, days = _kind_and_days(length)
    words = tuple(fields[0].text[token.start : token.end] for token in problem.tokens) if fields else ()
    why = _not_understood(fields[0].text, problem.tokens) if words else str(problem)
    quoted = ", ".join(f'the {field.name} "{field.text.strip()[:MAX_LENGTH]}"' for field in fields)
    reason = f"{why} ({quoted})" if quoted else why
    return Dosage(
        status="unparsable",
        units_per_day_min=None,
        units_per_day_max=None,
        duration_days=days,
        duration_kind=kind,
        reason=reason,
        problem=why,
        not_understood=words,
    )


def _not_understood(text: str, tokens: Sequence[Token]) -> str:
    """`"moonlight" is not understood`: words next to each other are quoted together, as they are written."""
    spans: list[tuple[int, int]] = []
    for token in tokens:
        if spans and not text[spans[-1][1] : token.start].strip():
            spans[-1] = (spans[-1][0], token.end)
        else:
            spans.append((token.start, token.end))
    *others, last = [f'"{text[start:end]}"' for start, end in spans]
    return f"{', '.join(others)} and {last} are not understood" if others else f"{last} is not understood"


def _dosage(rate: Rate, unit: Unit | None, length: Length | None, facts: Facts, information: Information) -> Dosage:
    kind, days = _kind_and_days(length)
    is_open = rate.low is None or rate.high is None
    problem = length.reason if length is not None else None
    if is_open:
        problem = f"only the {'largest' if rate.low is None else 'smallest'} dose is given"
    notes = (*rate.notes, *((length.note,) if length is not None and length.note else ()))
    return Dosage(
        status="open_range" if is_open else "ok",
        units_per_day_min=rate.low,
        units_per_day_max=rate.high,
        duration_days=days,
        duration_kind=kind,
        # A T is a tablet or a tablespoon.
        unit=unit.name if unit and unit.kind != "initial" else None,
        reason=problem,
        assumptions=tuple(dict.fromkeys(notes)),
        problem=problem,
        flags=("conflicting_text",) if information.conflicts_with(facts) else (),
    )
