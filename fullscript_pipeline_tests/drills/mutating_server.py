"""The sandbox's true answers, some of them mutated on their way out: which ones a seed decides, whatever the order.

    with Mutations(sandbox) as server:
        server.strikes = (Strike("denied", "/clinic/orders"),)

What does not belong here: what a mutation does (`mutations`), and what must hold (`mutated_rounds`).
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any
from unittest import mock
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from fullscript_pipeline.sandbox import pages
from fullscript_pipeline.sandbox.endpoints import find_endpoint
from fullscript_pipeline.sandbox.routes import Api
from fullscript_pipeline_tests.drills.mutations import MUTATIONS, TrueAnswer


@dataclass(frozen=True)
class Strike:
    """A mutation of answers: of which endpoints (a pattern), how probably; `once`: at the first asking.

    Drawn from the seed and the request alone, so that answers that are asked for side by side are mutated alike however
    they overtake each other.
    """

    kind: str
    endpoint: str = "*"
    probability: float = 1.0
    once: bool = False
    seed: int = 0

    def hits(self, true_answer: TrueAnswer, occurrence: int) -> bool:
        if not fnmatchcase(true_answer.endpoint, self.endpoint) or (self.once and occurrence > 1):
            return False
        return self.rng(true_answer, 1 if self.once else 0).random() < self.probability

    def rng(self, true_answer: TrueAnswer, occurrence: int) -> Random:
        return Random(
            f"{self.seed}|{self.kind}|{true_answer.endpoint}|{sorted(true_answer.ids.items())}|{true_answer.page}|{occurrence}"
        )


@dataclass
class Told:
    """What was mutated since the last reset."""

    struck: Counter[str] = field(default_factory=Counter)
    bent: set[str] = field(default_factory=set)
    shorter: set[str] = field(default_factory=set)
    renamed: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)


class MutatingServer:
    """Stands in the place of the API's answering while it is entered."""

    def __init__(self) -> None:
        self.strikes: tuple[Strike, ...] = ()
        self.new_ids: frozenset[str] = frozenset()
        self.page_size = pages.MAXIMUM_SIZE
        self.told = Told()
        self._seen: Counter[tuple[Any, ...]] = Counter()
        self._bodies: defaultdict[str, dict[Any, Any]] = defaultdict(dict)

    def strike_with(self, *strikes: Strike) -> None:
        """From now on; what was counted is forgotten. None: true answers."""
        self.strikes, self.told = strikes, Told()
        self._seen.clear()
        self._bodies.clear()

    def __enter__(self) -> "MutatingServer":
        real = Api._answer
        server = self

        def answer(self: Api, request: Request, *arguments: Any, **named: Any) -> Response:
            with mock.patch.object(pages, "MAXIMUM_SIZE", server.page_size):
                response = real(self, request, *arguments, **named)
            found = find_endpoint("/" + str(request.path_params["path"]))
            if not server.strikes or found is None or response.status_code != 200 or request.method != "GET":
                return response
            true_answer = server._true_answer(found[0].path, found[1], request, orjson.loads(response.body))
            true_answer.unfiltered = lambda: orjson.loads(
                real(self, _without_filters(request), *arguments, **named).body
            )
            return server._mutated(true_answer) or response

        self._patch = mock.patch.object(Api, "_answer", answer)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()

    def _true_answer(self, endpoint: str, ids: dict[str, str], request: Request, body: Any) -> TrueAnswer:
        page = request.query_params.get("page[number]") or "1"
        key = (tuple(ids.values()), page)
        others = [its for other, its in sorted(self._bodies[endpoint].items()) if other != key]
        self._bodies[endpoint][key] = body
        return TrueAnswer(endpoint, ids, int(page), body, others, hidden=self.new_ids)

    def _mutated(self, true_answer: TrueAnswer) -> Response | None:
        request = (true_answer.endpoint, *true_answer.ids.values(), true_answer.page)
        self._seen[request] += 1
        for strike in self.strikes:
            if not strike.hits(true_answer, self._seen[request]):
                continue
            answer = MUTATIONS[strike.kind](strike.rng(true_answer, -1), true_answer)
            if answer is None or (answer.status == 200 and answer.body == true_answer.body):
                continue
            self.told.struck[strike.kind] += 1
            self.told.bent |= answer.bent
            self.told.shorter |= answer.shorter
            self.told.renamed |= answer.renamed
            self.told.requests.append(f"{strike.kind} {'/'.join(map(str, request))} {answer.note}".rstrip())
            return Response(orjson.dumps(answer.body), answer.status, media_type="application/json")
        return None


def _without_filters(request: Request) -> Request:
    kept = {name: value for name, value in request.query_params.items() if name.startswith("page[")}
    return Request({**request.scope, "query_string": urlencode(kept).encode()})
