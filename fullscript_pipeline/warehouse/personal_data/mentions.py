"""Finds out whether a landed answer, or a record of it, belongs to a person or mentions them.

What does not belong here: the files (`frame_file`), what happens to such records (`purge`, `person_rows`).
"""

from collections.abc import Collection
from typing import Any

import orjson

from fullscript_pipeline.warehouse.landing import Request, parse_line


def frame_mentions(request: Request, lines: list[bytes], ids: Collection[str]) -> bool:
    return requests_object(request, ids) or any(line_mentions(line, ids) for line in lines)


def requests_object(request: Request, ids: Collection[str]) -> bool:
    """Whether the request was for one of these objects; its key is `<clinic key>/<id>?<filters>`."""
    requested_id, _, filters = request.key.partition("/")[2].partition("?")
    return requested_id in ids or any(part.partition("=")[2] in ids for part in filters.split("&"))


def line_mentions(line: bytes, ids: Collection[str]) -> bool:
    """Whether the record is one of these objects, was listed under one, or contains one of their ids."""
    if not any(object_id.encode() in line for object_id in ids):
        return False
    landed = parse_line(line)
    return landed.id in ids or landed.parent_id in ids or _contains_id(orjson.loads(landed.record), ids)


def _contains_id(value: Any, ids: Collection[str], *, is_id: bool = False) -> bool:
    """Whether one of the ids is a value of `id`, `..._id` or `..._ids`, at any depth."""
    if isinstance(value, dict):
        return any(
            _contains_id(member, ids, is_id=key == "id" or key.endswith(("_id", "_ids")))
            for key, member in value.items()
        )
    if isinstance(value, list):
        return any(_contains_id(member, ids, is_id=is_id) for member in value)
    return is_id and isinstance(value, (str, int)) and str(value) in ids
