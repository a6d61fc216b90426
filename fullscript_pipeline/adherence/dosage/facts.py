"""What the clauses of a dosage text state: the small set of facts that the grammar makes and meaning.py combines.

What does not belong here: words (lexicon.py), reading (grammar.py and its neighbours), combining (meaning.py).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from fullscript_pipeline.adherence.dosage.tokens import Token
from fullscript_pipeline.adherence.units import Unit

Bound = Literal["up to", "ceiling", "at least"]


class UnreadableError(ValueError):
    """A text that cannot be read without guessing; the message is the reason, `tokens` the words it is about."""

    tokens: tuple[Token, ...] = ()


class NotUnderstoodError(UnreadableError):
    """Words that no clause reads."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        super().__init__(f"{len(tokens)} words are not understood")
        self.tokens = tokens


@dataclass(frozen=True, kw_only=True)
class Span:
    """An interval of positive exact numbers, both ends included."""

    low: Fraction
    high: Fraction

    @property
    def is_single(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    def times(self, factor: "Span") -> "Span":
        """End by end."""
        return Span(low=self.low * factor.low, high=self.high * factor.high)


ONE = Span(low=Fraction(1), high=Fraction(1))


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """An amount taken each time, or per day when a period follows: "2 capsules", "1-2". `grouped`: a number such as
    1,250, read as a thousand and more, that only the right unit makes clear."""

    span: Span
    unit: Unit | None = None
    grouped: str | None = None


@dataclass(frozen=True, kw_only=True)
class Times:
    """Times per day. `period`: the days they are counted in; `is_counted`: false for a bare "daily" or "per week";
    `is_interval`: every so many whole days; `counts_doses`: "2 doses a day", which an amount can be for all of."""

    rate: Span
    period: Fraction
    is_counted: bool = True
    is_interval: bool = False
    counts_doses: bool = False
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """A count without a period: "once", "twice", "3 times"."""

    count: Span


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A share of the days: weekdays, days per week, on and off. `needs_daily`: says nothing about those days' doses;
    `names_days`: of the week."""

    share: Span
    period: Fraction
    needs_daily: bool = False
    names_days: bool = False
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Named times of the day: how many they are, at least and at most, and their names. `is_every_day`: "every morning"
    says on which days."""

    least: int
    most: int
    names: tuple[str, ...]
    has_meals: bool = False
    is_every_day: bool = False


@dataclass(frozen=True, kw_only=True)
class Meals:
    """ "With meals": three times a day unless the text counts otherwise."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A bound on a quantity (`unit` may be None) or on times; `per`: how often per day, None when not said."""

    bound: Bound
    span: Span
    counts_times: bool
    unit: Unit | None = None
    per: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class Total:
    """What a day's doses add up to. Where no day is said (`is_of_a_day` is false), it only confirms them."""

    span: Span
    unit: Unit | None
    per: Fraction
    is_of_a_day: bool


@dataclass(frozen=True, kw_only=True)
class Divided:
    """The amount is a day's, taken in `doses` parts (None: not said)."""

    doses: Fraction | None


@dataclass(frozen=True, kw_only=True)
class Sites:
    """Each eye, each nostril: the amount is taken twice."""

    number: int = 2


@dataclass(frozen=True, kw_only=True)
class Length:
    """How long: whole days, ongoing, or an end that cannot be read as a length (`reason`)."""

    kind: Literal["finite", "ongoing", "unparsable"]
    days: int | None = None
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Neutral:
    """Words on the closed list that carry no rate: route, food, water, "as directed", purposes."""


@dataclass(frozen=True, kw_only=True)
class EachDose(Neutral):
    """ "Per dose", "at a time": the amount is of one dose, not of a day."""


@dataclass(frozen=True, kw_only=True)
class Audience(Neutral):
    """Whom a dose is for: one of a child and one of an adult are two doses of two people."""

    is_child: bool


@dataclass(frozen=True, kw_only=True)
class Joint:
    """ "and" or "or" between clauses."""

    word: Literal["and", "or"]


Fact = Quantity | Times | Repeats | Pattern | Parts | Meals | Limit | Total | Divided | Sites | Length | Neutral | Joint
Facts = tuple[Fact, ...]
