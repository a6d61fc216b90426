"""Reads from a payload the fields that the inbox needs: ids, type and time.

What does not belong here: the meaning of an event (`refresh`).
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from fullscript_pipeline.ids import usable_id
from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.state import Delivery

_LONGEST_WORD = 200
_PROBE = re.compile(rb"\s*(\{\s*\})?\s*")


class NotJson(ValueError):
    """The body is not a JSON object. Deep nesting, a bare NUL and lone surrogates are refused too."""


def is_probe(body: bytes) -> bool:
    """Whether this is the probe that precedes deliveries: nothing, whitespace or `{}`."""
    return len(body) <= _LONGEST_WORD and _PROBE.fullmatch(body) is not None


def read_delivery(server: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
    """Makes the delivery that the inbox stores. Raises NotJson.

    The vendor's samples wrap the event as `event_payload.event`, its text on signatures as `event` only: both are read.
    An event without a usable id is identified by its content, so that retries are recognised.
    """
    try:
        payload = parse_json(body, strict=True)
    except ValueError:
        raise NotJson from None
    if not isinstance(payload, dict):
        raise NotJson
    outer = _inside(payload, "event_payload")
    event = _inside(outer, "event")
    levels = (event, outer, payload)
    return Delivery(
        server=server,
        event_id=_word(usable_id(event.get("id"))) or f"body-{hashlib.sha256(body).hexdigest()}",
        integration_id=_first("integration_id", levels),
        clinic_id=_first("clinic_id", levels),
        event_type=_word(event.get("type")) or None,
        created_at=_word(event.get("created_at")) or None,
        body=body,
        headers=headers,
    )


def _inside(payload: dict[str, Any], name: str) -> dict[str, Any]:
    inner = payload.get(name)
    return inner if isinstance(inner, dict) else payload


def _first(name: str, levels: tuple[dict[str, Any], ...]) -> str:
    return next((word for level in levels if (word := _word(level.get(name)))), "")


def _word(value: object) -> str:
    """Returns `value` as text if it can be an id, a type or a time: short and printable.

    Numbers are accepted as ids.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text if isinstance(text, str) and len(text) <= _LONGEST_WORD and text.isprintable() else ""
