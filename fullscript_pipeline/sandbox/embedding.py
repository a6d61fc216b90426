"""What stands for the embedded part of Fullscript: grants that sign a frame in once, and the frame's page.

The page says who is signed in and for which patient, and plays the documented events. Its key is not checked. What does
not belong here: who is given a grant (`write_endpoints`).
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fullscript_pipeline.sandbox.http_replies import error_answer, json_answer, page_answer
from fullscript_pipeline.sandbox.world import User

GRANT_SECONDS = 120
_CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Content-Type"}
_SCRIPT = """
const say = (type, payload) => parent.postMessage({type: `${frame}.${type}`, payload}, origin);
document.getElementById("select").onclick = () => say("patient.selected", {patient: {id: patient}});
document.getElementById("activate").onclick = () =>
  say("treatmentPlan.activated", {treatmentPlan: {id: "new", state: "active", patient: {id: patient}}});
"""


@dataclass(kw_only=True)
class _Grant:
    user: User
    clinic: str
    ends: float


class SessionGrants:
    """The grants that were not used yet; each is good once, for two minutes of real time."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._grants: dict[str, _Grant] = {}

    def issue(self, user: User, clinic: str) -> str:
        token = secrets.token_urlsafe(32)
        self._grants[token] = _Grant(user=user, clinic=clinic, ends=self.now() + GRANT_SECONDS)
        return token

    def claim(self, token: str) -> tuple[User, str] | None:
        """The user and the clinic; None: unknown, used or too old."""
        grant = self._grants.pop(token, None)
        return (grant.user, grant.clinic) if grant is not None and grant.ends > self.now() else None


class EmbeddedPages:
    """The two addresses that the vendor's script uses."""

    def __init__(self, grants: SessionGrants) -> None:
        self.grants = grants
        self._patients: dict[str, str] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/api/embeddable/tokenize", self.tokenize, methods=["POST", "OPTIONS"]),
            Route("/api/embeddable/session/embed/entry", self.entry, methods=["GET"]),
        ]

    async def tokenize(self, request: Request) -> Response:
        """A patient's data become a token, so that they are in no address."""
        if request.method == "OPTIONS":
            return Response(headers=_CORS)
        try:
            patient = str(orjson.loads(await request.body())["data"]["id"])
        except (ValueError, KeyError, TypeError):
            return error_answer(422, "Data must be an object")
        token = secrets.token_urlsafe(16)
        self._patients[token] = patient
        answer = json_answer({"data_token": token})
        answer.headers.update(_CORS)
        return answer

    async def entry(self, request: Request) -> Response:
        """The frame's page; refused for a grant that was used or is too old."""
        params = request.query_params
        claimed = self.grants.claim(params.get("secret_token", ""))
        if claimed is None:
            return page_answer("<p>This session grant is unknown, was used already, or is older than two minutes.", 401)
        user, clinic = claimed
        patient = self._patients.pop(params.get("data_token", ""), "")
        values = {"frame": params.get("frame_id", ""), "origin": params.get("target_origin", ""), "patient": patient}
        constants = "".join(f"const {name} = {orjson.dumps(text).decode()};" for name, text in values.items())
        script = constants.replace("<", "\\u003c") + _SCRIPT
        return page_answer(
            f"<h1>Fullscript (sandbox), embedded</h1><p>{escape(user.type)} {escape(user.id)} of {escape(clinic)}, "
            f"patient {escape(patient or 'not chosen')}.</p><button id=select>Select the patient</button> "
            f"<button id=activate>Activate a plan</button>"
            f"<script>{script}</script>"
        )
