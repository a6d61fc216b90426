"""Whether a landed answer, or one record of it, is a person's or names them.

What does not belong here: the files (`frame_file`), what is done about it (`purge`, `person_export`).
"""

from collections.abc import Collection
from typing import Any

import orjson

from fullscript_pipeline.warehouse.landing import Request, parse_line


def concerns(request: Request, lines: list[bytes], ids: Collection[str]) -> bool:
    return asks_for(request, ids) or any(names(line, ids) for line in lines)


def asks_for(request: Request, ids: Collection[str]) -> bool:
    """Whether the request itself was for one of these objects: `<clinic key>/<id>?<filters>`."""
    asked, _, filters = request.key.partition("/")[2].partition("?")
    return asked in ids or any(part.partition("=")[2] in ids for part in filters.split("&"))


def names(line: bytes, ids: Collection[str]) -> bool:
    """Whether the record is one of these objects, was listed under one, or holds one of their ids anywhere."""
    if not any(one.encode() in line for one in ids):
        return False
    landed = parse_line(line)
    return landed.id in ids or landed.parent_id in ids or _holds(orjson.loads(landed.record), ids)


def _holds(value: Any, ids: Collection[str], *, is_id: bool = False) -> bool:
    """Whether one of the ids stands where ids stand: under `id`, `..._id`, `..._ids`, at any depth."""
    if isinstance(value, dict):
        return any(_holds(one, ids, is_id=key == "id" or key.endswith(("_id", "_ids"))) for key, one in value.items())
    if isinstance(value, list):
        return any(_holds(one, ids, is_id=is_id) for one in value)
    return is_id and isinstance(value, (str, int)) and str(value) in ids
