"""Removes purged people from responses, so that they are not stored again.

A record that belongs to such a person is dropped; from any other record, their ids and objects are removed. This
happens before any caller sees the response, so nothing of it can be landed. What does not belong here: who was purged
(`state`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from fullscript_pipeline.api.errors import NotFound, RequestSummary
from fullscript_pipeline.api.response_parsing import Page, Record
from fullscript_pipeline.ids import id_text
from fullscript_pipeline.resources.types import Endpoint

# Endpoints whose records are about a person wherever they mention one: events, deliveries, ids of other systems.
_REFERRING_ENDPOINTS = ("event", "webhook_deliveries", "metadata")
_CATALOG = "/catalog/"


class PurgedIds(Protocol):
    """The ids of purged people and of their objects."""

    def __contains__(self, object_id: object, /) -> bool: ...

    def mark(self, object_id: str) -> str:
        """A keyed digest that stands for an id where the id must not be stored; always the same for an id."""


PurgedIdsSource = Callable[[], PurgedIds | None]


class PurgedObjectError(NotFound):
    """The object exists but belongs to a purged person; callers treat it as not found."""


def drop_purged_records(page: Page, endpoint: Endpoint, purged: PurgedIds | None) -> Page:
    """Returns the page without the records of purged people; `left_out` has their ids by mark."""
    if purged is None or endpoint.path.startswith(_CATALOG):
        return page
    remaining: list[Record] = []
    left: dict[str, str] = {}
    for record in page.records:
        if is_about_purged(record, endpoint, purged):
            own = id_text(record.get("id")) or ""
            # A row without an id of its own is identified by its whole content.
            is_known_by_id = own and endpoint.name != "metadata"
            left[purged.mark(own if is_known_by_id else json.dumps(record, sort_keys=True))] = own
        else:
            remaining.append(mask_mentions(record, purged))
    return replace(page, records=remaining, left_out=left)


def drop_purged_mentions(
    record: Record, endpoint: Endpoint, purged: PurgedIds | None, request: Callable[[], RequestSummary]
) -> Record:
    """Returns the object without mentions of purged people. Raises PurgedObjectError if it belongs to one."""
    if purged is None or endpoint.path.startswith(_CATALOG):
        return record
    if is_about_purged(record, endpoint, purged):
        raise _purged_object_error(request())
    return mask_mentions(record, purged)


def refuse_purged_ids(
    parameters: Mapping[str, str], purged: PurgedIds | None, request: Callable[[], RequestSummary]
) -> None:
    """Raises PurgedObjectError for a request with an id of a purged person, before it is sent."""
    if purged is not None and any(parameter in purged for parameter in parameters.values()):
        raise _purged_object_error(request())


def is_about_purged(record: Record, endpoint: Endpoint, purged: PurgedIds) -> bool:
    """Whether the record belongs to, or is about, a purged person."""
    patient = record.get("patient")
    owners = [record.get("id"), record.get("patient_id"), patient.get("id") if isinstance(patient, dict) else patient]
    if any(_is_purged(owner, purged) for owner in owners):
        return True
    is_referring = endpoint.name.endswith("_events") or endpoint.name in _REFERRING_ENDPOINTS
    return is_referring and mask_mentions(record, purged) != record


def mask_mentions(record: Record, purged: PurgedIds) -> Record:
    """Returns the record with their ids, and objects with such an id, set to None or removed from lists."""
    return {
        key: _masked(content, purged, is_id=key == "id" or key.endswith(("_id", "_ids")))
        for key, content in record.items()
    }


def _masked(content: Any, purged: PurgedIds, *, is_id: bool) -> Any:
    if isinstance(content, dict):
        return None if _is_purged(content.get("id"), purged) else mask_mentions(content, purged)
    if isinstance(content, list):
        cleaned = [_masked(member, purged, is_id=is_id) for member in content]
        return [
            member for member, original in zip(cleaned, content, strict=True) if member is not None or original is None
        ]
    return None if is_id and _is_purged(content, purged) else content


def names_people(content: Any, purged: PurgedIds) -> bool:
    """Whether it contains an id of a purged person, in a place for ids."""
    return mask_mentions({"value": content}, purged) != {"value": content}


def _is_purged(identifier: object, purged: PurgedIds) -> bool:
    text = id_text(identifier)
    return text is not None and text in purged


def _purged_object_error(request: RequestSummary) -> PurgedObjectError:
    return PurgedObjectError(
        request,
        "it is about somebody who was purged here, so it is left out",
        "`fullscript-pipeline purge --patient CLINIC ID --undo` lets the next pull bring them back.",
    )
