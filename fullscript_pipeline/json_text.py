"""JSON text from a server to Python values.

orjson parses nearly all of it. The standard library parses what orjson refuses but a record may contain (a lone
surrogate), so that one odd character does not cost a page of a hundred records. It also parses whole numbers of more
than 64 bits, which orjson would round; they can only be ids. What does not belong here: what a value means.
"""

import json
from typing import Any, NoReturn

import orjson

_LARGEST = 2**64 - 1
_LEAST = -(2**63)
_MOST_DIGITS = 4_000  # the longest that Python parses
# Shorter numbers fit; searching for this many consecutive digits costs less than parsing the JSON.
_MANY_DIGITS = b"0" * 19
_DIGITS_ONLY = bytes(ord("0") if chr(code).isdigit() and code < 128 else 0 for code in range(256))


def parse_json(body: bytes, *, strict: bool = False) -> Any:
    """Parses `body`. Raises ValueError if it is not JSON (NaN and Infinity are not) or is nested too deeply.

    `strict`: also raises for text that is not Unicode.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        if strict:
            raise
    else:
        if _MANY_DIGITS not in body.translate(_DIGITS_ONLY):
            return value
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse, parse_int=_parse_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def large_numbers_as_text(value: Any) -> Any:
    """Returns the value with whole numbers of more than 64 bits as text, at any depth: no reader can round them."""
    if isinstance(value, dict):
        return {key: large_numbers_as_text(member) for key, member in value.items()}
    if isinstance(value, list):
        return [large_numbers_as_text(member) for member in value]
    if isinstance(value, int) and not isinstance(value, bool) and not _LEAST <= value <= _LARGEST:
        return str(value)
    return value


def _parse_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
