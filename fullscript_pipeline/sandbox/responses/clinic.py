"""What an answer is, makers for plain lists and look-ups, and what the endpoints of a clinic's own things answer.

Arguments and sort keys are the technical reference's. What does not belong here: paths and scopes (`endpoints`),
tokens, status codes and JSON (`routes`), patients and theirs (`patients`), the catalog (`catalog`), events
and deliveries (`events`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from fullscript_pipeline.sandbox.embedding import SessionGrants
from fullscript_pipeline.sandbox.pages import UTC_DAYS, BadParameterError, DayRule, sorted_by
from fullscript_pipeline.sandbox.world import Record, SandboxClinic, User

RowT = TypeVar("RowT")

CATALOG = "catalog:read"
CLINIC = "clinic:read"
PATIENTS = "patients:read"
PLANS = "patients:treatment_plan_history"
ORDERS = "patients:order_history"

METADATA_TYPES = ("patient", "practitioner", "staff", "treatment_plan")
PROTOCOL_STATES = ("active", "draft", "cancelled")
OWNERSHIPS = ("owned", "shared", "all")


@dataclass(frozen=True, kw_only=True)
class Call:
    """An authorized request: its clinic, user and scopes, its parameters and the ids in its path."""

    clinic: SandboxClinic
    params: QueryParams
    ids: dict[str, str]
    scopes: frozenset[str]
    user: User
    base_url: str
    days: DayRule = UTC_DAYS
    grants: SessionGrants = field(default_factory=SessionGrants)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Rows to be paged and wrapped under `key`."""

    key: str
    rows: Sequence[Record]


@dataclass(frozen=True, kw_only=True)
class WrappedRecord:
    """One record to be wrapped under `key`."""

    key: str
    record: Record


@dataclass(frozen=True, kw_only=True)
class Bare:
    """An answer without a wrapper."""

    record: Record


Answer = Callable[[Call], Listing | WrappedRecord | Bare]
Rows = Callable[[SandboxClinic], dict[str, Record]]


class NotFoundError(Exception):
    """There is no such object, or none that this clinic may see."""


class MissingScopeError(Exception):
    """The token lacks the scope that the text names."""


def list_every(key: str, rows: Rows) -> Answer:
    """Lists all of a kind, wrapped under `key`."""
    return lambda call: Listing(key=key, rows=list(rows(call.clinic).values()))


def find_by_id(key: str, rows: Rows) -> Answer:
    """Returns the record with the path's `id`, wrapped under `key`."""
    return lambda call: WrappedRecord(key=key, record=look_up(rows(call.clinic), call))


def list_terms(kind: str) -> Answer:
    """Lists one of the catalog's vocabularies."""
    return list_every(kind, lambda clinic: clinic.catalog.vocabularies[kind])


def find_term(kind: str, key: str) -> Answer:
    """Looks up an entry of one of the catalog's vocabularies."""
    return find_by_id(key, lambda clinic: clinic.catalog.vocabularies[kind])


def look_up(rows: dict[str, RowT], call: Call) -> RowT:
    """The row that the path's `id` names. Raises NotFoundError."""
    if (record := rows.get(call.ids["id"])) is None:
        raise NotFoundError
    return record


def read_choice(call: Call, name: str, default: str, allowed: Sequence[str]) -> str:
    """An argument that takes one of a few words. Raises BadParameterError."""
    if (word := call.params.get(name) or default) not in allowed:
        raise BadParameterError(f"{name.replace('_', ' ').capitalize()} must be one of {', '.join(allowed)}")
    return word


def clinic(call: Call) -> WrappedRecord:
    """The token's clinic."""
    return WrappedRecord(key="clinic", record=call.clinic.info)


def metadata(call: Call) -> Listing:
    """The objects that carry an id of the integration's own, by that id and type."""
    kind = read_choice(call, "type", "", ("", *METADATA_TYPES))
    here = call.clinic
    records_by_type = {
        "patient": [patient.record for patient in here.patients.values()],
        "practitioner": list(here.practitioners.values()),
        "staff": list(here.staff.values()),
        "treatment_plan": [plan.record for plan in here.plans.values()],
    }
    rows: list[Record] = [
        {"id": row["metadata"]["id"], "type": name, "data": {"id": row["id"]}}
        for name, records in records_by_type.items()
        for row in records
        if kind in {"", name} and row["metadata"]
    ]
    metadata_id = call.params.get("id")
    return Listing(key="metadata", rows=[row for row in rows if metadata_id is None or row["id"] == metadata_id])


def fullscript_protocols(call: Call) -> Listing:
    """Fullscript's own protocols."""
    rows = list(call.clinic.catalog.protocols.values())
    return Listing(key="protocols", rows=sorted_by(rows, call.params, {"name": "name"}))


def practitioner_protocols(call: Call) -> Listing:
    """A practitioner's protocols: their own by default, those shared with them, or both."""
    who, owned = _practitioner_id(call), read_choice(call, "ownership_type", "owned", OWNERSHIPS)
    state = read_choice(call, "current_state", "", ("", *PROTOCOL_STATES))
    rows = [
        own_or_shared.record
        for own_or_shared in call.clinic.protocols.values()
        if (owned != "shared" and own_or_shared.owner_id == who)
        or (owned != "owned" and who in own_or_shared.shared_with)
    ]
    chosen = [row for row in rows if state in {"", row["current_state"]}]
    keys = {"name": "name", "current_state": "current_state"}
    return Listing(key="protocols", rows=sorted_by(chosen, call.params, keys))


def protocol(call: Call) -> WrappedRecord:
    """One protocol, Fullscript's or a practitioner's."""
    theirs = {key: stored.record for key, stored in call.clinic.protocols.items()}
    return WrappedRecord(key="protocol", record=look_up(theirs | call.clinic.catalog.protocols, call))


def templates(call: Call) -> Listing:
    """Protocols by the name they had before: those that belong to the practitioner."""
    who = _practitioner_id(call)
    return Listing(
        key="templates", rows=[stored.record for stored in call.clinic.protocols.values() if stored.owner_id == who]
    )


def template(call: Call) -> WrappedRecord:
    """One template."""
    return WrappedRecord(
        key="template", record=look_up({key: stored.record for key, stored in call.clinic.protocols.items()}, call)
    )


def practitioner_resources(call: Call) -> Listing:
    """The documents of a practitioner."""
    return Listing(key="resources", rows=call.clinic.resources[_practitioner_id(call)])


def practitioner_resource(call: Call) -> WrappedRecord:
    """One document of a practitioner."""
    return WrappedRecord(
        key="resource", record=look_up({row["id"]: row for row in call.clinic.resources[_practitioner_id(call)]}, call)
    )


def new_plan_link(call: Call) -> Bare:
    """A link to write a plan for anybody."""
    return Bare(record={"redirect_url": link(call, "new")})


def plan_link(call: Call) -> Bare:
    """A link to edit a draft or an active plan."""
    page = read_choice(call, "entrypoint", "catalog", ("catalog", "labs"))
    if look_up(call.clinic.plans, call).record["state"] == "cancelled":
        raise NotFoundError
    return Bare(record={"redirect_url": link(call, f"{call.ids['id']}/{page}")})


def link(call: Call, what: str) -> str:
    """A sign-in link of this user into the app of this world's Fullscript; it opens a page (`plan_pages`)."""
    who = urlencode({"user_type": call.user.type, "user_id": call.user.id})
    return f"{call.base_url}/{call.clinic.server}/dynamic/treatment_plans/{what}?{who}"


def _practitioner_id(call: Call) -> str:
    if call.ids["practitioner_id"] not in call.clinic.practitioners:
        raise NotFoundError
    return call.ids["practitioner_id"]
