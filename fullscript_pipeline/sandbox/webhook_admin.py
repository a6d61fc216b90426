"""The part of the control plane that does what the API Dashboard's page of webhooks does.

What does not belong here: the rules of delivery (`sender`).
"""

import secrets
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.http_replies import error_answer, json_answer, read_body
from fullscript_pipeline.sandbox.instance import Sandbox

MOST_MINUTES = 24 * 60 - 1


class HookControl:
    """Webhook settings of both servers' apps."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def routes(self) -> list[Route]:
        """All of it."""
        acts = {"": self._register, "/roll": self._roll, "/enable": self._enable, "/remove": self._remove}
        acts |= {"/minutes": self._minutes, "/resend": self._resend}
        posts = [Route(f"/_sandbox/webhooks{path}", _post(act), methods=["POST"]) for path, act in acts.items()]
        return [Route("/_sandbox/webhooks", self.show, methods=["GET"]), *posts]

    async def show(self, _: Request) -> Response:
        """Endpoints, what is due, how many attempts were made."""
        book = self.sandbox.sender.book
        return json_answer(
            {
                "clock": self.sandbox.moment.isoformat(),
                "hooks": [asdict(hook) for hook in book.hooks.values()],
                "waiting": [asdict(attempt) for attempt in book.waiting],
                "deliveries": {slug: len(rows) for slug, rows in book.deliveries.items()},
            }
        )

    async def _register(self, body: dict[str, Any]) -> dict[str, Any]:
        # {"server", "url", "events": [types], "duplicates": 0.3, "disorder": true}
        return asdict(await self.sandbox.sender.register(body, self.sandbox.moment))

    async def _roll(self, body: dict[str, Any]) -> dict[str, Any]:
        # {"server"}: a new signing key, from now on.
        app = self.sandbox.state.apps.get(str(body.get("server")))
        if app is None:
            raise SandboxError("Say which server's signing key to roll.")
        app.signature_key = secrets.token_hex(32)
        self.sandbox.save()
        return {"webhook_signature_key": app.signature_key}

    async def _enable(self, body: dict[str, Any]) -> dict[str, Any]:
        hook = self.sandbox.sender.book.hooks.get(str(body.get("server")))
        if hook is None:
            raise SandboxError("Say which server's webhook to enable; it must be registered.")
        hook.disabled = hook.failing_since = None
        self.sandbox.sender.book.write()
        return asdict(hook)

    async def _remove(self, body: dict[str, Any]) -> dict[str, Any]:
        self.sandbox.sender.remove(str(body.get("server")))
        return {}

    async def _minutes(self, body: dict[str, Any]) -> dict[str, Any]:
        # {"minutes": 5}: time passes for retries; the world itself moves by days.
        minutes = _number(body, "minutes", 0, MOST_MINUTES)
        if self.sandbox.minutes + minutes > MOST_MINUTES:
            raise SandboxError("That is another day; advance the world by a day instead.")
        self.sandbox.minutes += minutes
        return dict(await self.sandbox.sender.run(self.sandbox.moment))

    async def _resend(self, body: dict[str, Any]) -> dict[str, Any]:
        # {"days": 1, "times": 2, "disorder": true, "seed": 1}
        days, times = _number(body, "days", 1, 30), _number(body, "times", 1, 100)
        seed, shuffled = _number(body, "seed", 0, 10**9), bool(body.get("disorder"))
        sender = self.sandbox.sender
        return dict(await sender.resend(self.sandbox.moment, days=days, times=times, disorder=shuffled, seed=seed))


def _number(body: dict[str, Any], name: str, least: int, most: int) -> int:
    number = body.get(name, least)
    if not isinstance(number, int) or not least <= number <= most:
        raise SandboxError(f"{name} is {number!r}; give a whole number from {least} to {most}.")
    return number


def _post(act: Any) -> Any:
    async def answer(request: Request) -> Response:
        body = await read_body(request)
        if body is None:
            return error_answer(400, "The body must be a JSON object.")
        try:
            return json_answer(await act(body))
        except SandboxError as error:
            return error_answer(400, str(error))

    return answer
