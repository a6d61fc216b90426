"""The ASGI application of the receiver: answers requests by the vendor's rules.

The responses: 200 with the challenge for a probe, and for a genuine delivery after it is durable; 4xx for requests that
will never be accepted; an early 503 for requests that should be sent again. Never 3xx or 410 (the vendor disables the
address on 410), and never a 200 after the deadline. What does not belong here: sockets (`server`), rows (`state`).
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

import orjson
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.state import Delivery
from fullscript_pipeline.webhooks.access_log import AccessLog
from fullscript_pipeline.webhooks.admission import Admission, Full
from fullscript_pipeline.webhooks.group_commit import Overloaded
from fullscript_pipeline.webhooks.payload_header import NotJson, is_probe, read_delivery
from fullscript_pipeline.webhooks.protocol import ARRIVED
from fullscript_pipeline.webhooks.signature import is_genuine
from fullscript_pipeline.webhooks.webhook_endpoints import WebhookEndpoint

# The vendor gives up after two seconds, which include the transfer in both directions.
ANSWER_SECONDS = 1.4
LARGEST_BODY = 1 << 20
# Complete requests that are being stored: more could not be stored in time.
_MOST_INSIDE = 400
# Requests whose body is arriving: they cost memory only.
_MOST_READING = 1000
_STORED_HEADERS = ("content-type", "fullscript-signature", "user-agent")
_LINGER_SECONDS, _LINGER_BYTES, _LINGER_BYTES_BUSY = 0.5, 8 << 20, 64 << 10
_MOST_LINGERING = 100


class Refused(Exception):
    """The request is not accepted; `why` contains nothing from the request."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Gone(Exception):
    """The client has disconnected."""


class Receiver:
    """An ASGI application; `store_delivery` stores a delivery durably and returns whether it was new."""

    def __init__(
        self,
        endpoints: Sequence[WebhookEndpoint],
        store_delivery: Callable[[Delivery], Awaitable[bool]],
        access_log: AccessLog | None = None,
        most_reading: int = _MOST_READING,
    ) -> None:
        self._endpoints, self._store_delivery, self._access_log = endpoints, store_delivery, access_log
        self._admission = Admission(_MOST_INSIDE + most_reading)
        self._lingering = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = _Visit(scope, receive, send)
        try:
            async with asyncio.timeout(visit.seconds_left()) as visit.deadline:
                answer = await self._answer(visit)
            visit.seconds_left()
        except Gone:
            visit.note = "hung up"
            return
        except TimeoutError:
            await self._refuse(visit, *visit.lateness())
        except (Full, Overloaded):
            await self._refuse(visit, HTTPStatus.SERVICE_UNAVAILABLE, "too many at once")
        except Refused as refused:
            await self._refuse(visit, refused.status, refused.why)
        except Exception as problem:
            # 503, not 500: the delivery was not stored and should be sent again. The store's message says what to do.
            why = str(problem) if isinstance(problem, PipelineError) else type(problem).__name__
            await self._refuse(visit, HTTPStatus.SERVICE_UNAVAILABLE, "not stored", log=why)
        else:
            await visit.accept(answer)
        finally:
            if self._access_log is not None:
                self._access_log.write_line(visit.line())

    async def _answer(self, visit: "_Visit") -> str:
        """Handles the request and returns the challenge for the response. Raises Refused, Gone or the store's error."""
        endpoint = self._endpoint_at(visit.scope["path"])
        visit.server = endpoint.server
        if visit.scope["method"] != "POST":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is answered here")
        with self._admission.admitted(visit, visit.announced()):
            body = await self._body(visit)
            if is_probe(body):
                visit.note = "probe"
                return endpoint.challenge
            if self._admission.complete_count() > _MOST_INSIDE:
                raise Full
            await self._store(visit, endpoint, body)
        return endpoint.challenge

    async def _store(self, visit: "_Visit", endpoint: WebhookEndpoint, body: bytes) -> None:
        signatures = visit.headers.getlist("fullscript-signature")
        signed = signatures[0].encode("latin-1") if len(signatures) == 1 else b""
        if not is_genuine(signed, body, endpoint.keys, clock.real_now().timestamp()):
            raise Refused(HTTPStatus.FORBIDDEN, "the signature does not fit, or is older than five minutes")
        stored_headers = {name: visit.headers[name] for name in _STORED_HEADERS if name in visit.headers}
        try:
            delivery = read_delivery(endpoint.server, body, stored_headers)
        except NotJson:
            raise Refused(HTTPStatus.BAD_REQUEST, "the body is not a JSON object") from None
        new = await self._store_delivery(delivery)
        visit.note = f"{delivery.event_type or 'event'} {delivery.event_id} {'kept' if new else 'again'}"

    def _endpoint_at(self, path: str) -> WebhookEndpoint:
        requested, matching = path.encode(errors="replace"), None
        for endpoint in self._endpoints:
            if hmac.compare_digest(requested, endpoint.path.encode()):
                matching = endpoint
        if matching is None:
            raise Refused(HTTPStatus.NOT_FOUND, "not found")
        return matching

    async def _body(self, visit: "_Visit") -> bytes:
        body = bytearray()
        while not visit.complete:
            body += await visit.chunk()
            if len(body) > LARGEST_BODY:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
            self._admission.set_size(visit, len(body))
        return bytes(body)

    async def _refuse(self, visit: "_Visit", status: HTTPStatus, why: str, *, log: str = "") -> None:
        """Refuses a request; a bounded number of refused requests may send a little more of their body."""
        self._lingering += 1
        try:
            await visit.refuse(status, why, log=log, lingers=self._lingering <= _MOST_LINGERING)
        finally:
            self._lingering -= 1


class _Visit:
    """A request and its response, with what the access log may contain."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self._receive, self._send = scope, receive, send
        self.headers = Headers(scope=scope)
        self.complete = False
        self.deadline: asyncio.Timeout | None = None
        self._given_up = False
        self.server, self.note, self.status = "-", "", 0
        self._begun: float = scope.get("state", {}).get(ARRIVED, time.monotonic())

    def seconds_left(self) -> float:
        """The seconds until the deadline. Raises Refused after it: never a late 200, even if the delivery is stored."""
        left = ANSWER_SECONDS - (time.monotonic() - self._begun)
        if left <= 0:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many at once")
        return left

    def announced(self) -> int:
        """The announced size of the body; 0 if there is none. Raises Refused for a body that is not accepted."""
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must not be compressed")
        length = self.headers.get("content-length", "0")
        if len(length) > 15 or int(length) > LARGEST_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        return int(length)

    @property
    def age(self) -> float:
        """The seconds since the request reached this machine."""
        return time.monotonic() - self._begun

    def give_up(self) -> None:
        """Ends the request at once, to make room for others."""
        self._given_up = True
        if self.deadline is not None:
            self.deadline.reschedule(asyncio.get_running_loop().time())

    def lateness(self) -> tuple[HTTPStatus, str]:
        """The status and reason for a request that ran out of time."""
        if self._given_up:
            return HTTPStatus.SERVICE_UNAVAILABLE, "too many at once, and its body came slowly"
        if self.complete:
            return HTTPStatus.SERVICE_UNAVAILABLE, "not stored in time"
        return HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time"

    async def chunk(self) -> bytes:
        """Receives the next piece of the body; sets `complete` after the last one. Raises Gone."""
        message: Message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self.complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))

    async def accept(self, challenge: str) -> None:
        """Sends the response that confirms a delivery."""
        await self._respond(HTTPStatus.OK, {"challenge": challenge}, [])

    async def refuse(self, status: HTTPStatus, why: str, *, log: str = "", lingers: bool = True) -> None:
        """Sends a refusal, and closes the connection if more of the body may arrive.

        A little of that body is read first, because a reset would lose the response.
        """
        self.note = f"refused: {log or why}"
        more = [(b"retry-after", b"60")] if status == HTTPStatus.SERVICE_UNAVAILABLE else []
        more += [(b"allow", b"POST")] if status == HTTPStatus.METHOD_NOT_ALLOWED else []
        if self.complete:
            await self._respond(status, {"error": why}, more)
            return
        await self._respond(status, {"error": why}, [*more, (b"connection", b"close")], last=False)
        # Under overload less is read: for the vendor, a reset is the same as a 503.
        most = _LINGER_BYTES if status != HTTPStatus.SERVICE_UNAVAILABLE else _LINGER_BYTES_BUSY
        read = 0
        try:
            async with asyncio.timeout(_LINGER_SECONDS if lingers else 0):
                while not self.complete and read < most:
                    read += len(await self.chunk())
        except (TimeoutError, Gone):
            pass
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def line(self) -> str:
        """The line for the access log, without path and body."""
        return f"{self.server} {self.status or '-'} {(time.monotonic() - self._begun) * 1000:.1f} ms {self.note}"

    async def _respond(
        self, status: HTTPStatus, content: dict[str, str], more: list[tuple[bytes, bytes]], *, last: bool = True
    ) -> None:
        body = orjson.dumps(content)
        self.status = status.value
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *more]
        await self._send({"type": "http.response.start", "status": status.value, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})
