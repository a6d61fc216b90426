"""Finds the records in an answer of whatever shape: under the expected key, another one, or none.

Unlike `api.response_parsing` it refuses nothing, since an unexpected shape is what a probe is after. What does not
belong here: what the records mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fullscript_pipeline.probe.answer_shapes import is_plain_key
from fullscript_pipeline.resources.types import Endpoint

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class FoundRows:
    """The records of an answer. `wrapper`: the key they are under, "" for none, None if there are none to be seen."""

    wrapper: str | None
    outer: str = ""
    rows: list[Row] = field(default_factory=list, repr=False)
    meta: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def total_count(self) -> int | None:
        return whole_number((self.meta or {}).get("total_count"))


def find_rows(endpoint: Endpoint, body: Any) -> FoundRows:
    """The records of a list, or the one of a detail."""
    if isinstance(body, list):
        return FoundRows(wrapper="", rows=_objects(body))
    if not isinstance(body, dict):
        return FoundRows(wrapper=None)
    if isinstance(inner := body.get("event_payload"), dict):
        found = find_rows(endpoint, inner)
        return FoundRows(wrapper=found.wrapper, outer="event_payload", rows=found.rows, meta=found.meta)
    meta = body.get("meta") if isinstance(body.get("meta"), dict) else None
    content = {key: value for key, value in body.items() if not (key == "meta" and meta is not None)}
    kind = list if endpoint.kind == "list" else dict
    keys = [key for key in (*endpoint.wrapper_keys, *content) if isinstance(content.get(key), kind)]
    if endpoint.kind == "detail" and "id" in content and not any(key in content for key in endpoint.wrapper_keys):
        return FoundRows(wrapper="", rows=[content])
    if not keys:
        return FoundRows(wrapper=None, meta=meta)
    value = content[keys[0]]
    return FoundRows(
        wrapper=keys[0] if is_plain_key(keys[0]) else "(no plain word)",
        rows=_objects(value) if isinstance(value, list) else [value],
        meta=meta,
    )


def whole_number(value: Any) -> int | None:
    """A number, or its text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16 else None


def row_ids(rows: list[Row]) -> list[str]:
    """The ids of rows, in their order, to compare pages."""
    return [str(row.get("id", "")) for row in rows]


def _objects(entries: list[Any]) -> list[Row]:
    """Objects as they are; a bare id becomes an object that has only an id."""
    return [entry if isinstance(entry, dict) else {"id": str(entry)} for entry in entries if entry is not None]


def error_form(body: Any) -> str:
    """The form: `error: text`, `error: list of texts`, `errors: list of objects`, `no JSON` or another one."""
    if body is None:
        return "no JSON"
    if not isinstance(body, dict):
        return "a bare list" if isinstance(body, list) else "a bare value"
    for key in ("errors", "error"):
        if key in body:
            return f"{key}: {_kind(body[key])}"
    return "an object without error"


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "list of objects" if any(isinstance(part, dict) for part in value) else "list of texts"
    return "object" if isinstance(value, dict) else "text" if isinstance(value, str) else "another type"
