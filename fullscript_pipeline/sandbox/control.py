"""The control plane under `/_sandbox/`: show the world, move its clock, count requests, end tokens, merge patients.

What does not belong here: anything that the vendor's API has.
"""

from collections.abc import Callable
from datetime import date, datetime
from random import Random
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fullscript_pipeline.sandbox.behaviour_switches import RESPONSE_VARIANTS
from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.http_replies import error_answer, json_answer
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.seeded_random import rng_for
from fullscript_pipeline.sandbox.world import Record, SandboxClinic

Body = dict[str, Any]


class Control:
    """The control plane of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[Route]:
        """All routes of the control plane."""
        return [
            Route("/_sandbox/state", self.state, methods=["GET"]),
            Route("/_sandbox/requests", self.requests, methods=["GET"]),
            Route("/_sandbox/requests/reset", self.reset, methods=["POST"]),
            Route("/_sandbox/advance", self.advance, methods=["POST"]),
            Route("/_sandbox/merge", self.merge, methods=["POST"]),
            Route("/_sandbox/faults", self.faults, methods=["GET"]),
            Route("/_sandbox/faults", self.arm, methods=["POST"]),
            Route("/_sandbox/faults", self.disarm, methods=["DELETE"]),
            Route("/_sandbox/elsewhere/{path:path}", self.elsewhere, methods=["GET", "POST"]),
            Route("/_sandbox/quirks", self.response_variants, methods=["GET"]),
            Route("/_sandbox/quirks", self.set_response_variants, methods=["POST"]),
            Route("/_sandbox/settings", self.settings, methods=["POST"]),
            Route("/_sandbox/tokens/expire", self.expire, methods=["POST"]),
            Route("/_sandbox/tokens/revoke", self.revoke, methods=["POST"]),
        ]

    async def state(self, request: Request) -> Response:
        """Clock, servers, credentials, clinics."""
        return json_answer(self.sandbox.describe(str(request.base_url).rstrip("/")))

    async def requests(self, _: Request) -> Response:
        """The requests to the API since the last reset."""
        return json_answer(self.sandbox.ledger.summary(self.sandbox.state.settings.rate_window))

    async def reset(self, _: Request) -> Response:
        """Starts counting afresh."""
        self.sandbox.ledger.reset()
        return json_answer({})

    async def advance(self, request: Request) -> Response:
        """`{"days": 1}` or `{"to": "2026-11-24"}`: moves the clock."""
        answer = await _do(request, lambda body: self.sandbox.advance(days=_days(body), to=_to(body)))
        if answer.status_code == 200:
            sent = await self.sandbox.sender.run(self.sandbox.moment)
            answer = json_answer(orjson.loads(answer.body) | {"webhooks": dict(sent)})
        return answer

    async def merge(self, request: Request) -> Response:
        """`{"clinic": slug, "kept": id, "merged": id}`: the two patients become one."""
        return await _do(request, self._merge)

    async def faults(self, _: Request) -> Response:
        """Every kind of fault, what is armed and how often it struck."""
        return json_answer(self.sandbox.faults.to_json())

    async def arm(self, request: Request) -> Response:
        """`{"kind": "http_500", "endpoint": "/clinic/orders", "nth": 2}`: arms a fault; answers the rule."""
        return await _do(request, lambda body: self.sandbox.faults.arm(body).to_json())

    async def disarm(self, _: Request) -> Response:
        """Clears every fault."""
        self.sandbox.faults.clear()
        return json_answer({})

    async def elsewhere(self, request: Request) -> Response:
        """The target of a redirect to another host; counts whether the token was sent there."""
        counts = self.sandbox.faults.elsewhere
        counts["requests"] += 1
        counts["with_authorization"] += "authorization" in request.headers
        return error_answer(404, "This is another host")

    async def response_variants(self, _: Request) -> Response:
        """All response variants, and those that are on."""
        return json_answer(self._response_variants())

    async def set_response_variants(self, request: Request) -> Response:
        """`{"quirks": "all"}` or a list of names: these and no others are on."""
        return await _do(request, self._set_response_variants)

    async def settings(self, request: Request) -> Response:
        """`{"rate_limit": 100}`: changes what may change while the sandbox runs; answers all settings."""
        return await _do(request, self._change)

    async def expire(self, _: Request) -> Response:
        """Expires every access token now; refresh tokens still work."""
        return json_answer({"expired": self.sandbox.oauth.expire_access_tokens()})

    async def revoke(self, request: Request) -> Response:
        """`{"clinic": slug}`: the clinic's user revokes the app's authorization."""
        return await _do(request, lambda body: {"revoked": self.sandbox.oauth.forget(clinic=self._slug(body))})

    def _response_variants(self) -> Body:
        return {"quirks": RESPONSE_VARIANTS, "on": sorted(self.sandbox.variants.names)}

    def _set_response_variants(self, body: Body) -> Body:
        self.sandbox.change({"quirks": body.get("quirks", "")})
        return self._response_variants()

    def _change(self, body: Body) -> Body:
        self.sandbox.change(body)
        return self.sandbox.state.settings.to_json()

    def _merge(self, body: Body) -> Body:
        clinic = self.sandbox.world.clinics[self._slug(body)]
        survivor_id, merged_id = str(body.get("kept")), str(body.get("merged"))
        return merge_patients(
            clinic,
            survivor_id,
            merged_id=merged_id,
            at=self.sandbox.moment,
            rng=rng_for("merge", survivor_id, merged_id),
        )

    def _slug(self, body: Body) -> str:
        if (slug := body.get("clinic")) not in self.sandbox.world.clinics:
            raise SandboxError(f"There is no clinic {slug!r}; see GET /_sandbox/state for their slugs.")
        return str(slug)


async def _do(request: Request, act: Callable[[Body], Body]) -> Response:
    try:
        body = orjson.loads(await request.body() or b"{}")
        if not isinstance(body, dict):
            raise SandboxError("The body must be a JSON object.")
        return json_answer(act(body))
    except orjson.JSONDecodeError:
        return error_answer(400, "The body must be a JSON object.")
    except SandboxError as error:
        return error_answer(400, str(error))


def _days(body: Body) -> int | None:
    days = body.get("days")
    if days is not None and (not isinstance(days, int) or isinstance(days, bool)):
        raise SandboxError("days must be a whole number.")
    return days


def _to(body: Body) -> date | None:
    text = body.get("to")
    try:
        return None if text is None else date.fromisoformat(text)
    except (TypeError, ValueError):
        raise SandboxError(f"to is {text!r}, which is not a day; write it like 2026-11-24.") from None


def merge_patients(clinic: SandboxClinic, survivor_id: str, merged_id: str, at: datetime, rng: Random) -> Record:
    """Gives everything of `merged_id` to `survivor_id` and removes `merged_id`; the event is `patient.merged`."""
    if survivor_id == merged_id or not {survivor_id, merged_id} <= clinic.patients.keys():
        raise SandboxError("Name two patients of the clinic: kept and merged.")
    for plan in clinic.plans_of.pop(merged_id):
        plan.record["patient"] = {"id": survivor_id}
        clinic.plans_of[survivor_id].append(plan)
    for order in clinic.orders.values():
        if order["patient_id"] == merged_id:
            order["patient_id"] = survivor_id
    for lab in clinic.labs.values():
        if lab.row["patient_id"] == merged_id:
            lab.row["patient_id"] = survivor_id
    for patient in clinic.patients.values():
        if patient.record["guardian_patient_id"] == merged_id:
            patient.record["guardian_patient_id"] = survivor_id
        if patient.account_holder_id == merged_id:
            patient.account_holder_id = survivor_id
    del clinic.patients[merged_id]
    clinic.info["patient_count"] = len(clinic.patients)
    event_data: Record = {"patient": {"id": survivor_id}, "merged_patient_id": merged_id}
    clinic.record_event(rng, "patient.merged", at, event_data)
    return event_data
