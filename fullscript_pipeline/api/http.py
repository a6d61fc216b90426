"""Sends a request and returns one bounded response.

It never follows a redirect (which could carry the Authorization header to another host), never reads more than
`MAX_BYTES`, compressed or not, and never takes longer than `MAX_SECONDS` for one response. What does not belong here:
tokens, retries, the meaning of a response.
"""

import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlencode

import httpx

from fullscript_pipeline.api.errors import BadResponse, RequestSummary, ServerError
from fullscript_pipeline.api.network_environment import RoutedTransport
from fullscript_pipeline.api.redaction import redact_url
from fullscript_pipeline.decompression import (
    ACCEPTED_ENCODINGS,
    MAX_BYTES,
    BrokenCompression,
    TooLarge,
    UnknownEncoding,
    unpack,
)
from fullscript_pipeline.json_text import parse_json

# They log whole URLs (search words, codes) at INFO and headers at DEBUG.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)

MAX_SECONDS = 120.0
_LARGE = 8 << 20
# Timeouts: to make a connection, and between two parts of a response.
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
_POOL_SECONDS = 60.0
_LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=16)
_USER_AGENT = "fullscript-pipeline"


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request to send. `json` makes it a POST: the OAuth token calls, and the portal's links into Fullscript."""

    endpoint: str
    server: str
    url: str
    clinic: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)
    accept: str = "application/json"
    # The URL for error messages, if the real one holds ids of a person's objects.
    shown_url: str | None = None

    @property
    def method(self) -> Literal["GET", "POST"]:
        return "GET" if self.json is None else "POST"

    def with_bearer(self, token: str) -> "HttpRequest":
        return replace(self, bearer=token)

    def request_summary(self, status: int | None = None, request_id: str | None = None) -> RequestSummary:
        """Describes this request for an error message."""
        address = self.shown_url or self.url
        full_url = f"{address}?{urlencode(self.params)}" if self.params else address
        return RequestSummary(
            endpoint=self.endpoint,
            server=self.server,
            method=self.method,
            url=redact_url(full_url),
            clinic=self.clinic,
            status=status,
            request_id=request_id,
        )


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """A received response: status, X-Request-Id, some headers as sent, the body (bounded, never in the repr)."""

    request: HttpRequest
    status: int
    request_id: str | None
    retry_after: str | None
    body: bytes = field(repr=False)
    date: str | None = None
    age: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def request_summary(self) -> RequestSummary:
        return self.request.request_summary(self.status, self.request_id)

    def json(self) -> Any:
        """Parses the body. Raises BadResponse if it is not JSON."""
        try:
            return parse_json(self.body)
        except ValueError:
            raise BadResponse(
                self.request_summary(),
                f"the answer is not JSON ({len(self.body)} bytes)",
                "Something between us and the server may have answered in its place; try again, and check the "
                "server's API_URL setting if it stays.",
            ) from None


class HttpClient:
    """Connections to the vendor's servers; thread-safe, used by all threads of a session."""

    def __init__(
        self,
        *,
        max_body_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._max_body_bytes, self._max_seconds = max_body_bytes, max_seconds
        self._large = threading.Lock()
        self._client = httpx.Client(
            timeout=httpx.Timeout(read_seconds, connect=connect_seconds, pool=_POOL_SECONDS),
            transport=RoutedTransport(_LIMITS),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": ACCEPTED_ENCODINGS},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Sends the request once and returns the response, whatever its status is.

        Raises ServerError if no complete response arrives (connection, timeout, broken compression), BadResponse for a
        response that is too large, has an encoding that was not requested, or is a redirect.
        """
        headers = {"Accept": request.accept} | ({"Authorization": f"Bearer {request.bearer}"} if request.bearer else {})
        try:
            with self._client.stream(
                request.method, request.url, params=dict(request.params) or None, json=request.json, headers=headers
            ) as response:
                body = self._read(request, response)
        except (httpx.TransportError, httpx.DecodingError) as problem:
            raise ServerError(
                request.request_summary(), f"no answer ({_error_words(problem)})", _error_advice(problem)
            ) from None
        except (httpx.InvalidURL, httpx.HTTPError) as problem:
            raise BadResponse(
                request.request_summary(), _error_words(problem), "Check the server's API_URL setting."
            ) from None
        received = HttpResponse(
            request=request,
            status=response.status_code,
            request_id=_plain_request_id(response.headers.get("x-request-id")),
            retry_after=response.headers.get("retry-after"),
            body=body,
            date=response.headers.get("date"),
            age=response.headers.get("age"),
            headers=response.headers,
        )
        if 300 <= received.status < 400:
            what = "the server sends us elsewhere, and we follow no redirect"
            raise BadResponse(received.request_summary(), what, "Check its API_URL setting.")
        return received

    def _read(self, request: HttpRequest, response: httpx.Response) -> bytes:
        # httpx would decompress a piece without a limit: 96 kB of zstd can become 3 GB.
        encoding = response.headers.get("content-encoding", "")
        summary = request.request_summary(response.status_code, _plain_request_id(response.headers.get("x-request-id")))
        try:
            return self._joined(unpack(self._in_time(response), encoding, self._max_body_bytes))
        except TooLarge:
            verb = "unpacks to" if encoding else "is"
            what = f"the answer {verb} more than {self._max_body_bytes} bytes"
            raise BadResponse(summary, what, "Tell the vendor, quoting the X-Request-Id.") from None
        except UnknownEncoding:
            raise BadResponse(
                summary,
                f"the answer is compressed in another way than we asked for ({ACCEPTED_ENCODINGS})",
                "Something between us and the server may have changed it: check the proxy, if there is one, and the "
                "server's API_URL setting.",
            ) from None
        except BrokenCompression:
            raise httpx.DecodingError("broken") from None

    def _joined(self, parts: Iterator[bytes]) -> bytes:
        """Joins the body.

        Only one large body is in memory at a time, so eight decompression bombs cost no more than one.
        """
        body = bytearray()
        with ExitStack() as alone:
            for part in parts:
                if len(body) <= _LARGE < len(body) + len(part):
                    alone.enter_context(self._large)
                body += part
            return bytes(body)

    def _in_time(self, response: httpx.Response) -> Iterator[bytes]:
        deadline = time.monotonic() + self._max_seconds
        for part in response.iter_raw():
            yield part
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the whole answer took too long")


def _error_words(problem: Exception) -> str:
    """A few words for a transport error, by its class; its own text may hold a URL."""
    if _is_untrusted(problem):
        return "its certificate is not trusted"
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (httpx.ConnectTimeout, "connecting took too long"),
        (httpx.ConnectError, "the connection was refused or could not be made"),
        (httpx.TimeoutException, "it took too long"),
        (httpx.DecodingError, "its compression is broken"),
        (httpx.RemoteProtocolError, "the connection ended in the middle"),
        (httpx.UnsupportedProtocol, "the address is not http(s)"),
        (httpx.InvalidURL, "the address is not a URL"),
    )
    return next((words for kind, words in kinds if isinstance(problem, kind)), "the connection failed")


def _error_advice(problem: Exception) -> str:
    if _is_untrusted(problem):
        return (
            "Check the server's address and this machine's clock; where a company's proxy reads the traffic, set "
            "SSL_CERT_FILE to a file with its certificate too."
        )
    return "Check the network and the server's address, then try again."


def _is_untrusted(problem: BaseException | None) -> bool:
    while problem is not None:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def _plain_request_id(request_id: str | None) -> str | None:
    """Returns the X-Request-Id if it is plain text, so that a header cannot put line breaks into a log."""
    plain = request_id is not None and len(request_id) <= 100 and request_id.replace("-", "").replace("_", "").isalnum()
    return request_id if plain else None
