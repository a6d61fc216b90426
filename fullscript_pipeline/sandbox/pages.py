"""Pages, sorting and date filters of the list endpoints, as the reference describes them.

What does not belong here: which endpoint takes which of them (`endpoints`).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from math import ceil
from typing import NamedTuple

from fullscript_pipeline.sandbox.world import Record

# The default size is not documented; this is what the documented sample uses.
DEFAULT_SIZE = 20
MAXIMUM_SIZE = 100
Params = Mapping[str, str]


class BadParameterError(Exception):
    """An argument that cannot be understood; answered 422 in the documented shape."""


def page_of(rows: Sequence[Record], params: Params, default: int = DEFAULT_SIZE) -> tuple[Sequence[Record], Record]:
    """One page of rows and its `meta`. Pages larger than 100 are cut to 100. Raises BadParameterError."""
    number = _positive(params, "page[number]", 1)
    size = min(_positive(params, "page[size]", default), MAXIMUM_SIZE)
    pages = ceil(len(rows) / size)
    meta: Record = {
        "current_page": number,
        "next_page": number + 1 if number < pages else None,
        "prev_page": number - 1 if 1 < number <= pages else None,
        "total_pages": pages,
        "total_count": len(rows),
    }
    return rows[(number - 1) * size : number * size], meta


def sorted_by(rows: Sequence[Record], params: Params, keys: Mapping[str, str]) -> Sequence[Record]:
    """Rows by `sort_by` (`keys`: argument -> row's key) and `order_by`, ties by id; unasked, in the order they have.

    Raises BadParameterError.
    """
    sort_key, direction = params.get("sort_by"), params.get("order_by", "ASC").upper()
    if direction not in {"ASC", "DESC"}:
        raise BadParameterError("Order by must be ASC or DESC")
    if sort_key is None:
        return rows[::-1] if direction == "DESC" else rows
    if sort_key not in keys:
        raise BadParameterError(f"Sort by must be one of {', '.join(keys)}")
    return sorted(rows, key=lambda row: (_sortable(row, keys[sort_key]), str(row["id"])), reverse=direction == "DESC")


class DayRule(NamedTuple):
    """How date filters count a moment, and their own bounds; neither is documented."""

    zone: tzinfo = UTC
    bounds_included: bool = False
    last_day_left_out: bool = False

    def day_of(self, text: str) -> date:
        """The day of a timestamp as filters count it."""
        return datetime.fromisoformat(text).astimezone(self.zone).date()


UTC_DAYS = DayRule()


def day_filter(params: Params, name: str, rule: DayRule = UTC_DAYS) -> Callable[[date], bool] | None:
    """The test that a `d`, `<d`, `>d` or `d..d` argument means (ranges include both ends); None without one.

    Raises BadParameterError.
    """
    text = params.get(name)
    if not text:
        return None
    first, dots, last = text.partition("..")
    if dots:
        since, until = _day(first, name), _day(last, name)
        return (lambda day: since <= day < until) if rule.last_day_left_out else (lambda day: since <= day <= until)
    sign = text[0] if text[0] in "<>" else ""
    bound = _day(text.removeprefix(sign), name)
    tests: dict[str, Callable[[date], bool]] = {"<": bound.__gt__, ">": bound.__lt__, "": bound.__eq__}
    if rule.bounds_included:
        tests |= {"<": bound.__ge__, ">": bound.__le__}
    return tests[sign]


def _positive(params: Params, name: str, default: int) -> int:
    text = params.get(name)
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise BadParameterError(f"{name} must be a number greater than 0")
    return int(text)


def _sortable(row: Record, key: str) -> str | datetime:
    content = row[key]
    if isinstance(content, list):
        return str(content[0]) if content else ""
    return datetime.fromisoformat(content) if key.endswith("_at") else str(content).casefold()


def _day(text: str, name: str) -> date:
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise BadParameterError(f"{name} must be formatted as yyyy-mm-dd") from None
