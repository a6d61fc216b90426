"""Which faults there are, and the rules that say when one happens.

What does not belong here: making them happen (`fault_middleware`, `malformed_responses`, `socket_faults`).
"""

import dataclasses
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from random import Random
from typing import Any, NamedTuple

from fullscript_pipeline.sandbox.endpoints import ENDPOINTS
from fullscript_pipeline.sandbox.errors import SandboxError

# On the wire: what the client's sockets feel.
WIRE = {
    "connect_refused": "every connection is dropped and new ones are refused for `seconds` (1)",
    "connect_timeout": "every connection is dropped and new ones hang for `seconds` (2)",
    "read_timeout": "the request is accepted but not answered for `seconds` (60), then the connection is reset",
    "slow_drip": "the answer arrives in small pieces over `seconds` (5)",
    "reset_mid_body": "half of the body, then a reset",
    "commit_then_drop": "the request is carried out, then the connection is reset without an answer",
}
# An answer that is not the endpoint's: status, body.
CANNED = {
    "html_200": "200 with an HTML page",
    "empty_object_200": "200 with {}",
    "empty_array_200": "200 with []",
    "error_200": "200 with the body of an error",
    "decompression_bomb": "200 with a body that unpacks to 1 GB; `value`: its encodings (default gzip), as gzip, gzip",
    "no_content_204": "204 in place of 200",
    "http_500": "500",
    "http_502": "502 with an HTML page",
    "http_503": "503 with an HTML page",
    "http_504": "504 with an HTML page",
    "too_many_requests": "429 without Retry-After",
    "too_many_requests_seconds": "429 with Retry-After: `seconds` (1)",
    "too_many_requests_date": "429 with Retry-After as a date, `seconds` (1) from now",
    "unauthorized": "401 (once; always if count is null)",
    "forbidden": "403",
    "invalid_client": "400 `invalid_client`: what a token call says of an app that it does not know",
    "not_found": "404 for something that is listed",
    "redirect_elsewhere": "302 to another host, which records whether Authorization was sent",
}
# The endpoint's own answer, spoilt.
MALFORMING = {
    "truncated_json": "a body that is cut in half, in a complete HTTP message",
    "bad_gzip": "the header Content-Encoding: gzip, with a body that is not gzip",
    "wrong_charset": "UTF-16 where the header says UTF-8",
    "missing_request_id": "no X-Request-Id",
    "clock_skew": "Date, and created_at of a token, are ahead by `seconds` (7200); negative: behind",
    "unknown_word": "a state, status or type that is not documented",
    "row_changed": "the first row of a list differs from its detail",
    "field_retyped": "a record's `field` (default: first number or flag) holds `value` (default: unreadable text)",
    "odd_id": "the id of the first record is `value` (default: ..), which cannot be part of a path",
    "child_moved": "the last part of a row (a line, a variant, a test) is under the next row instead",
    "child_shared": "the last part of a row is under the next row too",
}
# Lists whose pages do not fit together.
PAGED = {
    "duplicate_page": "the previous page is sent again",
    "skipped_page": "the next page is sent instead",
    "total_pages_shrinks": "meta counts one page too few",
    "total_pages_grows": "meta counts one page too many",
    "page_size_ignored": "page[size] is ignored",
    "row_repeated": "the last row of the previous page is repeated",
    "empty_list": "no rows, and a meta that says there are none",
    "null_list": "null in place of the rows",
    "total_count_zero": "meta counts 0 rows although the answer has rows",
    "total_pages_zero": "meta counts 0 pages and names no next one",
    "filters_ignored": "parameters other than those of paging are ignored",
}
# Answers from a world in which something is not there yet.
HIDDEN = {
    "late_object": "objects of the last 24 hours (or `objects`) return 404 and are in no list; feeds have their events",
}
KINDS = WIRE | CANNED | MALFORMING | PAGED | HIDDEN
BOMBS = {"gzip", "deflate", "zstd"}
LISTS = frozenset(endpoint.path for endpoint in ENDPOINTS if not endpoint.path.endswith("}")) - {
    "/clinic",
    "/clinic/dynamic_links/treatment_plans",
}
WAITS = {
    "connect_refused": 1.0,
    "connect_timeout": 2.0,
    "read_timeout": 60.0,
    "slow_drip": 5.0,
    "too_many_requests_seconds": 1.0,
    "too_many_requests_date": 1.0,
    "clock_skew": 7200.0,
}


class ApiRequest(NamedTuple):
    """A request as rules see it; `endpoint` is its template where there is one."""

    method: str
    server: str
    endpoint: str
    path: str
    clinic: str
    page: int


@dataclass(kw_only=True)
class Rule:
    """When a fault happens: from the `nth` matching request on, `count` times (None: always), with a probability.

    `endpoint` is a pattern (`*`) for the template or the path below the API's base; `clinic` a slug, `server` a name;
    `objects` are ids; `field` and `value` say what is bent, and into what.
    """

    id: int
    kind: str
    endpoint: str = "*"
    method: str | None = None
    nth: int = 1
    count: int | None = 1
    probability: float = 1.0
    seed: int = 0
    clinic: str | None = None
    server: str | None = None
    seconds: float = 0.0
    objects: tuple[str, ...] = ()
    field: str = ""
    value: Any = None
    seen: int = 0
    fired: int = 0
    rng: Random = dataclasses.field(default_factory=Random, repr=False)

    def strikes(self, api_request: ApiRequest) -> bool:
        """Counts a request if it matches; whether the fault happens to it."""
        if not self._matches(api_request):
            return False
        self.seen += 1
        due = self.seen >= self.nth and (self.count is None or self.fired < self.count)
        # Drawn for every matching request, so that a seed means the same requests whatever fired before.
        if self.rng.random() >= self.probability or not due:
            return False
        self.fired += 1
        return True

    def _matches(self, api_request: ApiRequest) -> bool:
        if self.kind in PAGED and (api_request.method != "GET" or api_request.endpoint not in LISTS):
            return False
        if self.kind in {"duplicate_page", "row_repeated"} and api_request.page < 2:
            return False
        return (
            (fnmatchcase(api_request.endpoint, self.endpoint) or fnmatchcase(api_request.path, self.endpoint))
            and self.method in {None, api_request.method}
            and self.clinic in {None, api_request.clinic}
            and self.server in {None, api_request.server}
        )

    def to_json(self) -> dict[str, Any]:
        """As the control plane shows it."""
        return {key: content for key, content in asdict(self).items() if key != "rng"}


@dataclass(kw_only=True)
class FaultPlan:
    """All enabled faults; of those that match a request, the first happens."""

    rules: list[Rule] = dataclasses.field(default_factory=list)
    elsewhere: dict[str, int] = dataclasses.field(default_factory=lambda: {"requests": 0, "with_authorization": 0})
    armed: int = 0

    def arm(self, rule_fields: dict[str, Any]) -> Rule:
        """Adds a rule. Raises SandboxError for an unknown kind or option."""
        options = {rule_field.name for rule_field in fields(Rule)} - {"id", "seen", "fired", "rng"}
        if unknown := rule_fields.keys() - options:
            raise SandboxError(f"A fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(options))}.")
        if not isinstance(kind := rule_fields.get("kind"), str) or kind not in KINDS:
            raise SandboxError(
                f"There is no fault {kind!r}; `sandbox fault` without a kind (or GET /_sandbox/faults) lists them."
            )
        self.armed += 1
        defaults: dict[str, Any] = {"seconds": WAITS.get(kind, 0.0)}
        if "probability" in rule_fields:
            defaults["count"] = None
        rule = Rule(id=self.armed, **(defaults | rule_fields))
        _check(rule)
        rule.rng = Random(f"{rule.seed}|{rule.kind}|{rule.endpoint}")  # noqa: S311 - faults, no secrets
        self.rules.append(rule)
        return rule

    def strike(self, api_request: ApiRequest) -> Rule | None:
        """The fault that happens to a request, if one does."""
        # Every rule counts the request, also when an earlier one strikes.
        return next(iter([rule for rule in self.rules if rule.strikes(api_request)]), None)

    def clear(self) -> None:
        """Disarms everything and forgets what was counted."""
        self.rules.clear()
        self.elsewhere = dict.fromkeys(self.elsewhere, 0)

    def to_json(self) -> dict[str, Any]:
        """All kinds, and what is armed."""
        return {"kinds": KINDS, "armed": [rule.to_json() for rule in self.rules], "elsewhere": self.elsewhere}


def _check(rule: Rule) -> None:
    numbers: dict[str, tuple[float | None, float, float]] = {
        "nth": (rule.nth, 1, 10**9),
        "count": (rule.count, 1, 10**9),
        "probability": (rule.probability, 0, 1),
        # A clock may be years off, and behind.
        "seconds": (rule.seconds, *((-(10**9), 10**9) if rule.kind == "clock_skew" else (0, 10**6))),
    }
    for name, (number, least, most) in numbers.items():
        if name == "count" and number is None:
            continue
        if not isinstance(number, int | float) or not least <= number <= most:
            raise SandboxError(f"A fault's {name} is {number!r}; give a number from {least} to {most}.")
    for name in ("endpoint", "method", "clinic", "server", "field"):
        word = getattr(rule, name)
        if not isinstance(word, str) and (word is not None or name in {"endpoint", "field"}):
            raise SandboxError(f"A fault's {name} is {word!r}; give a text.")
    if not isinstance(rule.objects, list | tuple) or not all(isinstance(word, str) for word in rule.objects):
        raise SandboxError(f"A fault's objects are {rule.objects!r}; give a list of ids.")
    rule.objects = tuple(rule.objects)
    if rule.kind == "decompression_bomb" and not encodings_of(rule):
        raise SandboxError(f"A bomb's value is {rule.value!r}; give some of {', '.join(sorted(BOMBS))}, with commas.")


def encodings_of(rule: Rule) -> tuple[str, ...]:
    """How a bomb is compressed, the innermost encoding first; nothing when its `value` is of other words."""
    words = tuple(word.strip() for word in str("gzip" if rule.value is None else rule.value).split(","))
    return words if set(words) <= BOMBS else ()
