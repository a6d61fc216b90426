"""The only writes the sandbox answers: session grants and links to draft plans. Every other write is refused.

A link changes nothing in this world: no draft is made and no patient is created or written to. What does not belong
here: HTTP (`routes`).
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from fullscript_pipeline.sandbox.embedding import GRANT_SECONDS
from fullscript_pipeline.sandbox.responses.clinic import Call, MissingScopeError, link
from fullscript_pipeline.sandbox.seeded_random import utc_text
from fullscript_pipeline.sandbox.world import Record

ENTRYPOINTS = ("catalog", "labs")
Body = Mapping[str, Any]


class UnprocessableError(Exception):
    """What is wrong with the body, a sentence each; answered 422 in the documented shape."""

    def __init__(self, *sentences: str) -> None:
        super().__init__(*sentences)
        self.sentences = sentences


@dataclass(frozen=True, kw_only=True)
class Write:
    """A POST that is answered with `status`."""

    answer: Callable[[Call, Body], Record]
    status: int


def session_grant(call: Call, _: Body) -> Record:
    """A one-time sign-in for an embedded page, good for 120 seconds of real time; not wrapped."""
    ends = datetime.now(UTC) + timedelta(seconds=GRANT_SECONDS)
    return {
        "id": str(uuid4()),
        "secret_token": call.grants.issue(call.user, call.clinic.slug),
        "claimed_at": None,
        "expires_at": utc_text(ends),
        "user": {"type": call.user.type, "id": call.user.id},
    }


def draft_link(call: Call, body: Body) -> Record:
    """A link to a draft plan, perhaps for a known patient. Raises MissingScopeError and UnprocessableError."""
    if "clinic:write" not in call.scopes:
        raise MissingScopeError("clinic:write")
    plan, who = _part(body, "treatment_plan"), _part(body, "patient")
    if body.get("entrypoint", "catalog") not in ENTRYPOINTS:
        raise UnprocessableError("Entrypoint must be catalog or labs")
    if (practitioner := plan.get("practitioner_id")) is not None and practitioner not in call.clinic.practitioners:
        raise UnprocessableError("Practitioner can't be found")
    known = [who["id"]] if who.get("id") in call.clinic.patients else []
    if who and not known and not who.get("email"):
        raise UnprocessableError("Email can't be blank", "Email is invalid")
    known = known or [row.id for row in call.clinic.patients.values() if who and row.record["email"] == who["email"]]
    if who and not known and "patients:write" not in call.scopes:
        raise MissingScopeError("patients:write")
    links: Record = {"redirect_url": link(call, f"draft/{secrets.token_hex(8)}")}
    return {"dynamic_links": links | ({"patient_id": known[0]} if known else {})}


def _part(body: Body, name: str) -> Body:
    part = body.get(name)
    if part is not None and not isinstance(part, Mapping):
        raise UnprocessableError(f"{name.replace('_', ' ').capitalize()} must be an object")
    return part or {}


WRITES = {
    "/clinic/embeddable/session_grants": Write(answer=session_grant, status=201),
    "/clinic/dynamic_links/treatment_plans": Write(answer=draft_link, status=200),
    "/clinic/dynamic_links/gateway/treatment_plans": Write(answer=draft_link, status=200),
}
