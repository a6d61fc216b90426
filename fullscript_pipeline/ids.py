"""Which ids can be asked for: one rule for what is landed, what is referred to and what an event is about.

An id becomes one segment of an address, percent-encoded: blanks, slashes, "?", "%" and every script are fine. "." and
".." are taken out of an address on its way, an empty one turns a detail into a list; control characters, text that is
not Unicode and more than 500 characters are refused by servers. What does not belong here: what becomes of such an
object (`warehouse.landing`, `warehouse.reading`) or event (`refresh`).
"""

import re
from collections.abc import Iterable

LONGEST = 500  # 6 kB when percent-encoded: servers take an address of 8 kB
UNREQUESTABLE = "its id cannot be part of an address"

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}").fullmatch
_INTEGER_WITH_FRACTION = re.compile(r"(-?[0-9]+)\.0").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


def id_text(value: object) -> str | None:
    """An id as it was sent: text or a number, a whole one without its fraction (12.0 is 12). None for what is no id."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    text = str(value)
    if text.endswith(".0") and (match := _INTEGER_WITH_FRACTION(text)):
        return match[1]
    return text if text.strip() else None


def is_requestable(text: str) -> bool:
    """Whether this text can be a segment of an address."""
    return text not in {".", ".."} and bool(text.strip()) and len(text) <= LONGEST and not _CONTROL(text)


def usable_id(value: object) -> str | None:
    """The id that a server has sent; None for none, and for one that cannot be asked for."""
    if type(value) is str and _PLAIN(value):
        return value
    text = id_text(value)
    return text if text is not None and is_requestable(text) else None


def requestable_ids(ids: Iterable[str]) -> list[str]:
    """Those that can be asked for: a warehouse of an older version may hold others."""
    return [object_id for object_id in ids if is_requestable(object_id)]


def first_usable(values: Iterable[object]) -> str | None:
    """The first of these that is an id which can be asked for."""
    return next((text for value in values if (text := usable_id(value)) is not None), None)
