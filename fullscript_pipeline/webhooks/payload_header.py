"""Reads of a payload only what the inbox is keyed by. What does not belong here: what an event means (`refresh`)."""

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
    """The body is no JSON object. Deep nesting, bare NUL and lone surrogates are no JSON to us either."""


def is_probe(body: bytes) -> bool:
    """Whether this is the call before the delivery: nothing, whitespace or `{}`."""
    return len(body) <= _LONGEST_WORD and _PROBE.fullmatch(body) is not None


def read_delivery(server: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
    """`body` as the inbox keeps it. Raises NotJson.

    The samples wrap the event as `event_payload.event`, the text on signatures as `event` only: both are read. One
    without a usable id is keyed by its content, so that its retries are known again.
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
    """`value` when it can be an id, a type or a time: short, printable; ids may be numbers one day."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text if isinstance(text, str) and len(text) <= _LONGEST_WORD and text.isprintable() else ""
