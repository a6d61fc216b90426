"""How many times a day, read from a frequency text, as an exact interval.

The vocabulary is section 8 of the method: times per period, every so many hours or days, Latin abbreviations, parts
of the day, meals, named weekdays. What does not belong here: how much is taken each time, and "as needed".
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from fullscript_pipeline.adherence.dayparts import NEUTRAL, read_dayparts, read_weekdays
from fullscript_pipeline.adherence.duration import Duration, read_duration
from fullscript_pipeline.adherence.text import RANGE, UnreadableError, normalise, read_span

# Days in a period; a month is 30 days by the method.
_PERIOD_DAYS = {
    "hour": Fraction(1, 24),
    "day": Fraction(1),
    "night": Fraction(1),
    "week": Fraction(7),
    "fortnight": Fraction(14),
    "month": Fraction(30),
    "year": Fraction(365),
}
_PERIOD = rf"(?P<period>{'|'.join(_PERIOD_DAYS)})s?"

# Rewritten in this order until every way of saying "N times per period" is spelled alike.
_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\beveryday\b", "every day"),
        (r"\b(once|twice|thrice|times|every|other)-(?=[a-z])", r"\1 "),
        (r"^x ?(\d)", r"\1 times"),
        (r"\bonce\b", "1 times"),
        (r"\btwice\b", "2 times"),
        (r"\bthrice\b", "3 times"),
        (r"(?<=\d) ?x\b(?! ?\d)", " times"),
        (r"(?<=\d) time\b", " times"),
        (r"(?<=\d) times (or|to|-) (?=\d+ times)", r" \1 "),
        (r"(?:\b|(?<=\d))(?:h|hrs?|hours?)\b", "hour"),
        (r"\bdly\b", "daily"),
        (r"\b(?:wks?|weeks?)\b", "week"),
        (r"\b(?:mos?|mths?|months?)\b", "month"),
        (r"(?<=\d)(?=hour)", " "),
        (r"^(\d+(?: ?(?:-|to|or) ?\d+)?) ?-?hourly$", r"every \1 hour"),
        (r"^q (?=(?:day|week|month)$)", "every "),
        (r"^q ?24 ?h(?:our)?$", "per day"),
        (r"\b24 hour(?: period)?\b", "day"),
        (r"^q ?(\d+(?: ?- ?\d+)?) ?h?(?:our)?$", r"every \1 hour"),
        (r"^q ?(\d+(?: ?- ?\d+)?) ?d$", r"every \1 day"),
        (r"^q ?(\d+(?: ?- ?\d+)?) ?w(?:eek)?$", r"every \1 week"),
        (r"^(?:1 times )?(?:qd|od|qday|sid)$", "1 times per day"),
        (r"^(?:bid|bd|bds)$", "2 times per day"),
        (r"^(?:tid|tds)$", "3 times per day"),
        (r"^(?:qid|qds)$", "4 times per day"),
        (r"^(?:qod|eod|alternate days?|on alternate days)$", "every 2 day"),
        (r"^(?:qw|qwk|qweek)$", "1 times per week"),
        (r"^(?:biw)$", "2 times per week"),
        (r"^(?:tiw)$", "3 times per week"),
        (r"^(?:qam|q am)$", "every morning"),
        (r"^(?:qpm|q pm)$", "every evening"),
        (r"^(?:qhs|q hs|hs)$", "at bedtime"),
        (r"\bevery (?:other|second|2nd|alternate) (?=day|night|week|month)", "every 2 "),
        (r"\bevery (?:third|3rd) (?=day|night|week)", "every 3 "),
        (r"\bevery (\d) nights?\b", r"every \1 day"),
        (r" ?/ ?(?=(?:day|week|month|hour|d\b|wk\b))", " per "),
        (r"\bper d\b", "per day"),
        (r"\b(?:a|an|each|in a|in 1|per 1|in|every) (?=(?:single )?(?:day|night|week|fortnight|month|year)\b)", "per "),
        (r"\bper single ", "per "),
        (r"\bper per\b", "per"),
        (r"\bevery (?=(?:hour)\b)", "per "),
        (r"\bhourly\b", "per hour"),
        (r"\bdaily\b", "per day"),
        (r"\bnightly\b", "per night"),
        (r"\bweekly\b", "per week"),
        (r"\bfortnightly\b", "per fortnight"),
        (r"\bmonthly\b", "per month"),
        (r"\b(?:yearly|annually)\b", "per year"),
        (r"\bper per\b", "per"),
    )
)
_PER = re.compile(rf"(?:(?P<n>{RANGE}) (?P<times>times )?)?per {_PERIOD}")
_EVERY = re.compile(rf"(?:(?P<n>{RANGE}) times )?every (?P<every>{RANGE}) ?{_PERIOD}")
_DAYS_A_WEEK = re.compile(rf"(?:1 times per day )?(?:on )?(?P<n>{RANGE}) (?:days?|nights?) (?:per|out of the) week")
_PER_WEEK_ON = re.compile(r"(?P<n>\d) times per week,? (?:on )?(?P<days>.+)")
_OPEN = re.compile(
    r"^(?:up ?-?to|a? ?max(?:imum)?(?: of)?|no more than|not more than|at most|(?:do )?not (?:to )?exceed) "
)
_TAIL = re.compile(r"^(?P<core>.*?\S),? (?:for |x ?)(?P<duration>\d.*)$")
# "2 weekly" is twice a week or every two weeks.
_AMBIGUOUS = re.compile(
    r"\bbi-?(?:weekly|monthly|annually|annual)\b|\bsemi-?\w+\b"
    r"|^(?!1 )\d+(?: ?(?:-|to|or) ?\d+)? ?-?(?:weekly|fortnightly|monthly|yearly)\b"
)


@dataclass(frozen=True)
class Frequency:
    """Times per day from `low` to `high`; `is_open` when the text gives only the upper end ("up to three times")."""

    low: Fraction
    high: Fraction
    is_open: bool = False
    # "2 per day" without the word times: beside the amount 2 it may only repeat it.
    bare_count: Fraction | None = None
    duration: Duration | None = None
    assumptions: tuple[str, ...] = ()


def read_frequency(text: object) -> Frequency:
    """The rate a frequency text states. Raises UnreadableError with the reason when it states none beyond doubt."""
    flat = normalise(text)
    if not flat:
        raise UnreadableError("there is no frequency")
    if _AMBIGUOUS.search(flat):
        raise UnreadableError(f"{flat!r} has two meanings")
    core, duration = _split_duration(flat)
    core = _tidy(NEUTRAL.sub(" ", f" {core} ".replace("(", " ").replace(")", " ")))
    for pattern, replacement in _REWRITES:
        core = pattern.sub(replacement, core)
    core = _tidy(core)
    if not core:
        raise UnreadableError(f"{flat!r} says how, not how often")
    found = _plain(core) or _weekly(core) or _with_dayparts(core)
    if found is None:
        raise UnreadableError(f"the frequency {flat!r} is not understood")
    return Frequency(found.low, found.high, found.is_open, found.bare_count, duration, found.assumptions)


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(" ,;")


def _split_duration(flat: str) -> tuple[str, Duration | None]:
    """`once daily for 14 days` holds a duration of its own."""
    match = _TAIL.match(flat)
    if match is None:
        return flat, None
    duration = read_duration(match["duration"])
    return (match["core"], duration) if duration.kind == "finite" else (flat, None)


def _plain(core: str) -> Frequency | None:
    """N times per period, every N periods, N days a week."""
    stripped = _OPEN.sub("", core)
    is_open = stripped != core
    if match := _PER.fullmatch(stripped):
        days = _PERIOD_DAYS[match["period"]]
        if match["n"] is None:
            return None if is_open else Frequency(1 / days, 1 / days, assumptions=_assumed(match["period"]))
        times = read_span(match["n"])
        bare = None if match["times"] or times.low != times.high else times.low
        return Frequency(times.low / days, times.high / days, is_open, bare, assumptions=_assumed(match["period"]))
    if match := _EVERY.fullmatch(stripped):
        days, every = _PERIOD_DAYS[match["period"]], read_span(match["every"])
        times = read_span(match["n"] or "1")
        low, high = times.low / (days * every.high), times.high / (days * every.low)
        return Frequency(low, high, is_open, assumptions=_assumed(match["period"]))
    if not is_open and (match := _DAYS_A_WEEK.fullmatch(core)):
        span = read_span(match["n"])
        if span.high > 7:
            raise UnreadableError("a week has seven days")
        return Frequency(span.low / 7, span.high / 7)
    return None


def _weekly(core: str) -> Frequency | None:
    """Named weekdays, once on each; a count beside them must agree."""
    counted = _PER_WEEK_ON.fullmatch(core)
    days = read_weekdays(counted["days"] if counted else core)
    if days is None:
        return None
    if counted and int(counted["n"]) != days:
        raise UnreadableError("the number of times and the named days disagree")
    return Frequency(Fraction(days, 7), Fraction(days, 7))


def _with_dayparts(core: str) -> Frequency | None:
    """Parts of the day or meals, alone or beside a count that must agree with them."""
    parts = read_dayparts(core)
    if parts is None:
        return None
    if parts.rest in ("", "per day", "1 times"):
        explicit = Fraction(1) if parts.rest == "1 times" else None
    else:
        stated = _plain(parts.rest)
        if stated is None or stated.is_open:
            return None
        if parts.count == 1 and stated.high <= 1:
            # "every other day at bedtime", "once weekly in the morning": the part of the day adds nothing.
            return stated
        explicit = stated.high if stated.low == stated.high else Fraction(-1)
    if explicit is not None and explicit != parts.count:
        raise UnreadableError("the number of times and the named times of day disagree")
    return Frequency(Fraction(parts.count), Fraction(parts.count), assumptions=parts.assumptions)


def _assumed(period: str) -> tuple[str, ...]:
    return (f"a {period} is {_PERIOD_DAYS[period]} days",) if period in ("month", "year") else ()
