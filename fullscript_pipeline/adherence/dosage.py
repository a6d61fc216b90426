"""A recommendation's dosage text as exact units per day, or the reason why it cannot be read.

`parse_dosage` is part of the project's contract (docs/architecture.md). It never guesses: a doubtful text is
`unparsable` with the reason, and an assumption made is reported. What does not belong here: packs, conversion into
what was bought (units.py), supply.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from fullscript_pipeline.adherence.duration import Duration, DurationKind, read_duration
from fullscript_pipeline.adherence.frequency import Frequency, read_frequency
from fullscript_pipeline.adherence.text import RANGE, Span, UnreadableError, normalise, read_span
from fullscript_pipeline.adherence.units import Unit, fold_unit

DosageStatus = Literal["ok", "prn", "open_range", "unparsable"]

_PRN = re.compile(
    r"\bp\.? ?r\.? ?n\b|\bpro re nata\b|^sos$"
    r"|\b(?:as|if|when|whenever|only when|where|only if) (?:\w+ )?(?:needed|required|necessary)\b"
    r"|\b(?:as|if|when)-needed\b"
)
_OPEN = re.compile(r"^(?:up ?-?to|max(?:imum)?(?: of)?|no more than|not more than|at most|(?:do )?not (?:to )?exceed) ")
_AMOUNT = re.compile(rf"(?:between (?P<between>{RANGE})|(?P<range>{RANGE}))(?P<unit>(?: ?\D.*)?)")


@dataclass(frozen=True)
class Dosage:
    """What a dosage text means.

    `units_per_day_min` and `_max` are exact, in `unit` (folded, None when the text names none); both None unless
    `status` is ok (both set) or open_range (only the maximum). `duration_days` is set when `duration_kind` is finite.
    `reason` says in plain words why something could not be read; `assumptions` what was taken for granted.
    """

    status: DosageStatus
    units_per_day_min: Fraction | None
    units_per_day_max: Fraction | None
    duration_days: int | None
    duration_kind: DurationKind
    unit: str | None = None
    reason: str | None = None
    assumptions: tuple[str, ...] = ()


def parse_dosage(
    amount: object,
    frequency: object,
    duration: object = None,
    format: object = None,
    additional_info: object = None,
) -> Dosage:
    """Read a dosage as the vendor writes it: five texts, any of them None. Never raises.

    An "as needed" phrase in the amount, frequency, duration or additional information makes the whole dosage `prn`;
    additional information changes nothing else.
    """
    length = _duration(duration)
    if any(is_as_needed(text) for text in (amount, frequency, duration, additional_info)):
        return Dosage("prn", None, None, length.days, length.kind, reason="it is to be taken as needed")
    try:
        span, unit, amount_is_open = _read_amount(amount, format)
        times = read_frequency(frequency)
        if times.bare_count is not None and times.bare_count > 1 and span.low == span.high == times.bare_count:
            raise UnreadableError("the frequency may only repeat the amount")
        length = _one_duration(length, times)
    except UnreadableError as error:
        return Dosage("unparsable", None, None, length.days, length.kind, reason=str(error))
    is_open = amount_is_open or times.is_open
    return Dosage(
        "open_range" if is_open else "ok",
        None if is_open else span.low * times.low,
        span.high * times.high,
        length.days,
        length.kind,
        unit.name if unit else None,
        "only the largest dose is given" if is_open else length.reason,
        tuple(dict.fromkeys(times.assumptions + length.assumptions)),
    )


def is_as_needed(text: object) -> bool:
    """Whether a text holds a phrase that leaves taking it to the patient's need."""
    return bool(text) and _PRN.search(" ".join(str(text).casefold().split())) is not None


def _duration(text: object) -> Duration:
    return Duration("as_needed") if is_as_needed(text) else read_duration(text)


def _one_duration(stated: Duration, times: Frequency) -> Duration:
    """The duration inside the frequency text counts when the duration field is empty, or says the same."""
    if times.duration is None or times.duration.days == stated.days:
        return stated
    if stated.kind == "unspecified":
        return times.duration
    raise UnreadableError("the frequency and the duration name different lengths of time")


def _read_amount(amount: object, format: object) -> tuple[Span, Unit | None, bool]:
    """The amount each time, its unit, and whether only the upper end is given."""
    flat = normalise(amount).replace("(s)", "")
    if not flat:
        raise UnreadableError("there is no amount")
    flat = re.sub(r"^(?:an?|the) (?=[a-z])", "1 ", re.sub(r"^take ", "", flat))
    stripped = _OPEN.sub("", flat)
    match = _AMOUNT.fullmatch(re.sub(rf"^between ({RANGE}) and ", r"\1 to ", stripped))
    if match is None or match["between"]:
        raise UnreadableError(f"the amount {flat!r} is not a number or a range")
    span = read_span(match["range"])
    is_open = stripped != flat
    if is_open and span.low != span.high:
        raise UnreadableError(f"the amount {flat!r} is doubtful")
    return span, _agreed_unit(match["unit"], normalise(format)), is_open


def _agreed_unit(in_amount: str, format_text: str) -> Unit | None:
    """The unit of the amount: its own word, else the format; both must agree when both name one."""
    named, given = fold_unit(in_amount), fold_unit(format_text)
    if named is not None and named.kind == "unknown":
        raise UnreadableError(f"{named.name!r} after the amount is not a known unit")
    unit = named or given
    if unit is not None and unit.kind == "strength":
        raise UnreadableError(f"{unit.name!r} is a strength, not a number of units")
    if named is None or named == given:
        return unit
    if named.name in ("milligram", "microgram"):
        # Milligrams of what is inside, unless the format itself is milligrams.
        raise UnreadableError("a strength is given instead of a number of units")
    if given is not None and given.kind != "unknown":
        raise UnreadableError(f"the amount is in {named.name}, the format is {given.name}")
    return named
