"""The sandbox's answers, changed on their way out: other servers that the documentation would allow.

For shapes of event feeds and deliveries that no response variant of the sandbox has. What does not belong
here: assertions.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import orjson
from starlette.requests import Request
from starlette.responses import Response

from fullscript_pipeline.sandbox import pages
from fullscript_pipeline.sandbox.behaviour_switches import PLAIN_ID, ResponseVariants
from fullscript_pipeline.sandbox.endpoints import find_endpoint
from fullscript_pipeline.sandbox.responses import events
from fullscript_pipeline.sandbox.routes import Api

# (path as documented, body) -> body, or a status to answer instead.
Bend = Callable[[str, Any], Any]


@contextmanager
def bent(bend: Bend | None = None, *, ascending_only: bool = False, filters_ignored: bool = False) -> Iterator[None]:
    """While open, answers of the API come bent; feeds may ignore how they are to be sorted or filtered."""
    real = Api._answer

    def answer(self: Api, request: Request, *given: Any, **named: Any) -> Response:
        response = real(self, request, *given, **named)
        found = find_endpoint("/" + request.path_params["path"])
        if bend is None or found is None or response.status_code != 200:
            return response
        told = bend(found[0].path, orjson.loads(response.body))
        if isinstance(told, int):
            return Response(orjson.dumps({"error": "no"}), told, media_type="application/json")
        return Response(orjson.dumps(told), media_type="application/json")

    sort = pages.sorted_by
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Api, "_answer", answer))
        if ascending_only:
            stack.enter_context(mock.patch.object(events, "sorted_by", lambda rows, _, keys: sort(rows, {}, keys)))
        if filters_ignored:
            stack.enter_context(mock.patch.object(events, "day_filter", lambda *_: None))
        yield


@contextmanager
def ids_are_numbers() -> Iterator[None]:
    """While open, every id is a number in answers, and that number in paths."""
    numbers: dict[bytes, int] = {}

    def number(found: "re.Match[bytes]") -> bytes:
        return str(numbers.setdefault(found[0].strip(b'"'), 1_000_000_001 + len(numbers))).encode()

    def out(_: ResponseVariants, body: bytes) -> bytes:
        return PLAIN_ID.sub(number, re.sub(rb'"' + PLAIN_ID.pattern + rb'"', number, body))

    def back(_: ResponseVariants, text: str) -> str:
        known = {str(its): one.decode() for one, its in numbers.items()}
        return re.sub(r"\d{10}", lambda found: known.get(found[0], found[0]), text)

    # Some quirk has to be on for answers to pass by `ids_out` at all.
    with (
        mock.patch.object(ResponseVariants, "replace_ids_in_answer", out),
        mock.patch.object(ResponseVariants, "restore_ids", back),
    ):
        yield
