"""Leaves out of what a server answers the records of people who are not to be stored: they were purged here.

A record that is such a person's is left out whole; of any other record what names one is taken away. It happens before
anybody sees the answer, so that nothing of it can land. What does not belong here: who these people are (`state`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from fullscript_pipeline.api.errors import Asked, NotFound
from fullscript_pipeline.api.response_parsing import Page, Record
from fullscript_pipeline.ids import id_text
from fullscript_pipeline.resources.types import Endpoint

# Records that are about somebody wherever they name them: events, deliveries, ids of other systems.
_WHOLE = ("event", "webhook_deliveries", "metadata")
_CATALOG = "/catalog/"


class KeptOut(Protocol):
    """The ids of people who are kept out, and of what was theirs."""

    def __contains__(self, one: object, /) -> bool: ...

    def mark(self, one: str) -> str:
        """What stands for an id where the id itself must not: keyed, the same every time."""


KeptOutNow = Callable[[], KeptOut | None]


class LeftOut(NotFound):
    """The object is there, and somebody's who is kept out: as good as not there."""


def without_people(page: Page, endpoint: Endpoint, kept_out: KeptOut | None) -> Page:
    """The page without the records of people who are kept out; `left_out` has their ids by mark."""
    if kept_out is None or endpoint.path.startswith(_CATALOG):
        return page
    kept: list[Record] = []
    left: dict[str, str] = {}
    for record in page.records:
        if is_theirs(record, endpoint, kept_out):
            own = id_text(record.get("id")) or ""
            # Of rows whose id is not their own, or that have none, all that they hold tells them apart.
            is_known_by_id = own and endpoint.name != "metadata"
            left[kept_out.mark(own if is_known_by_id else json.dumps(record, sort_keys=True))] = own
        else:
            kept.append(without_mentions(record, kept_out))
    return replace(page, records=kept, left_out=left)


def without_person(record: Record, endpoint: Endpoint, kept_out: KeptOut | None, asked: Asked) -> Record:
    """The object, without what names somebody who is kept out. Raises LeftOut when it is theirs."""
    if kept_out is None or endpoint.path.startswith(_CATALOG):
        return record
    if is_theirs(record, endpoint, kept_out):
        raise _left_out(asked)
    return without_mentions(record, kept_out)


def refuse_their_requests(values: Mapping[str, str], kept_out: KeptOut | None, asked: Asked) -> None:
    """Raises LeftOut for a request that names somebody who is kept out: it is not sent."""
    if kept_out is not None and any(value in kept_out for value in values.values()):
        raise _left_out(asked)


def is_theirs(record: Record, endpoint: Endpoint, kept_out: KeptOut) -> bool:
    """Whether the record is somebody's who is kept out, or about one."""
    patient = record.get("patient")
    owners = [record.get("id"), record.get("patient_id"), patient.get("id") if isinstance(patient, dict) else patient]
    if any(_is_kept_out(one, kept_out) for one in owners):
        return True
    is_whole = endpoint.name.endswith("_events") or endpoint.name in _WHOLE
    return is_whole and without_mentions(record, kept_out) != record


def without_mentions(record: Record, kept_out: KeptOut) -> Record:
    """The same record, but that an id of theirs, or an object with one, is None, or gone from its list."""
    return {
        key: _without(value, kept_out, is_id=key == "id" or key.endswith(("_id", "_ids")))
        for key, value in record.items()
    }


def _without(value: Any, kept_out: KeptOut, *, is_id: bool) -> Any:
    if isinstance(value, dict):
        return None if _is_kept_out(value.get("id"), kept_out) else without_mentions(value, kept_out)
    if isinstance(value, list):
        cleaned = [_without(one, kept_out, is_id=is_id) for one in value]
        return [one for one, before in zip(cleaned, value, strict=True) if one is not None or before is None]
    return None if is_id and _is_kept_out(value, kept_out) else value


def names_people(value: Any, kept_out: KeptOut) -> bool:
    """Whether an id of theirs stands in it, where ids stand."""
    return without_mentions({"value": value}, kept_out) != {"value": value}


def _is_kept_out(value: object, kept_out: KeptOut) -> bool:
    text = id_text(value)
    return text is not None and text in kept_out


def _left_out(asked: Asked) -> LeftOut:
    return LeftOut(
        asked,
        "it is about somebody who was purged here, so it is left out",
        "`fullscript-pipeline purge --patient CLINIC ID --undo` lets the next pull bring them back.",
    )
