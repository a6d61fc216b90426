"""Everything random in the sandbox, drawn from named seeds so that a world can be made again exactly.

What does not belong here: secrets (client secrets, tokens); those come from the `secrets` module and are stored.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import NamedTuple, Protocol, TypeVar


class Weighted(Protocol):
    """Anything that says how often it should be drawn."""

    @property
    def weight(self) -> float: ...


WeightedT = TypeVar("WeightedT", bound=Weighted)

NOON = time(12, tzinfo=UTC)


class HourRange(NamedTuple):
    """Hours counted from the opening of a world day (noon UTC of the day before), half open."""

    first: float
    last: float


# A world day ends at the world clock's noon, so nothing is ever dated after the clock. In American zones these hours
# are an ordinary working day; the evening hours fall on the next UTC day, the case a careless client gets wrong.
OFFICE = HourRange(2, 10)
DAYTIME = HourRange(1, 12)
EVENING = HourRange(12, 17)


def rng_for(*names: object) -> Random:
    """A generator that depends on `names` only, the same in every process."""
    return Random("|".join(str(name) for name in names))  # noqa: S311 - a toy world, no secrets


def new_id(rng: Random) -> str:
    """An id that looks like the vendor's (lower-case UUID)."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def draw(rng: Random, options: Sequence[WeightedT]) -> WeightedT:
    """One of `options`, as often as its weight says."""
    return rng.choices(options, [option.weight for option in options])[0]


def moment_in(day: date, rng: Random, span: HourRange = OFFICE) -> datetime:
    """A moment (UTC, whole seconds) of world day `day`, inside `span`."""
    opens = datetime.combine(day - timedelta(days=1), NOON)
    return opens + timedelta(seconds=int(rng.uniform(span.first, span.last) * 3600))


def utc_text(moment: datetime) -> str:
    """`2018-10-16T04:00:00.000Z`, the form of every documented timestamp but an order's."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
