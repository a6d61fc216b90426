"""JSON text from the server to Python values.

orjson does nearly all of it. What it refuses but a record may still hold (a lone surrogate, an integer of more than
64 bits) is read by the standard library, so that one odd character does not hide a page of a hundred records.
"""

import json
from typing import Any, NoReturn

import orjson


def parse_json(body: bytes) -> Any:
    """The value in `body`. Raises ValueError when it is not JSON (NaN and Infinity are not) or nested too deeply."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
