"""Decides which ids can be requested: one rule for landed records, references and events.

An id becomes one percent-encoded segment of a URL: blanks, slashes, "?", "%" and all scripts are allowed. "." and ".."
are removed from URLs in transit, and an empty id turns a detail into a list. Servers refuse control characters, text
that is not Unicode and more than 500 characters. What does not belong here: the treatment of such an object
(`warehouse.landing`, `warehouse.loading.record_typing`) or event (`refresh`).
"""

import re
from collections.abc import Iterable

LONGEST = 500  # 6 kB when percent-encoded; servers accept URLs of 8 kB
UNREQUESTABLE = "its id cannot be part of an address"

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}").fullmatch
_INTEGER_WITH_FRACTION = re.compile(r"(-?[0-9]+)\.0").fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


def id_text(value: object) -> str | None:
    """Returns a sent id as text; 12.0 becomes "12". None if it is neither text nor a whole number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    text = str(value)
    if text.endswith(".0") and (match := _INTEGER_WITH_FRACTION(text)):
        return match[1]
    return text if text.strip() else None


def is_requestable(text: str) -> bool:
    """Whether this text can be a segment of a URL."""
    return text not in {".", ".."} and bool(text.strip()) and len(text) <= LONGEST and not _CONTROL(text)


def usable_id(value: object) -> str | None:
    """Returns a sent id as text; None if it is no id, or cannot be requested."""
    if type(value) is str and _PLAIN(value):
        return value
    text = id_text(value)
    return text if text is not None and is_requestable(text) else None


def requestable_ids(ids: Iterable[str]) -> list[str]:
    """Returns the ids that can be requested; a warehouse of an older version may hold others."""
    return [object_id for object_id in ids if is_requestable(object_id)]


def first_usable(values: Iterable[object]) -> str | None:
    """Returns the first of these that is an id and can be requested."""
    return next((text for value in values if (text := usable_id(value)) is not None), None)
