"""Whether a landed answer, or one record of it, is a person's or names them.

What does not belong here: the files (`frame_file`), what is done about it (`purge`, `person_export`).
"""

from collections.abc import Collection
from typing import Any

import orjson

from fullscript_pipeline.warehouse.landing import Request, parse_line


def frame_mentions(request: Request, lines: list[bytes], ids: Collection[str]) -> bool:
    return requests_object(request, ids) or any(line_mentions(line, ids) for line in lines)


def requests_object(request: Request, ids: Collection[str]) -> bool:
    """Whether the request itself was for one of these objects: `<clinic key>/<id>?<filters>`."""
    requested_id, _, filters = request.key.partition("/")[2].partition("?")
    return requested_id in ids or any(part.partition("=")[2] in ids for part in filters.split("&"))


def line_mentions(line: bytes, ids: Collection[str]) -> bool:
    """Whether the record is one of these objects, was listed under one, or holds one of their ids anywhere."""
    if not any(object_id.encode() in line for object_id in ids):
        return False
    landed = parse_line(line)
    return landed.id in ids or landed.parent_id in ids or _contains_id(orjson.loads(landed.record), ids)


def _contains_id(value: Any, ids: Collection[str], *, is_id: bool = False) -> bool:
    """Whether one of the ids stands where ids stand: under `id`, `..._id`, `..._ids`, at any depth."""
    if isinstance(value, dict):
        return any(
            _contains_id(member, ids, is_id=key == "id" or key.endswith(("_id", "_ids")))
            for key, member in value.items()
        )
    if isinstance(value, list):
        return any(_contains_id(member, ids, is_id=is_id) for member in value)
    return is_id and isinstance(value, (str, int)) and str(value) in ids
