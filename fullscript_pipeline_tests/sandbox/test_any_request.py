"""Whatever is asked, the answer is JSON of a documented shape and status: never a traceback, never a 500."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.sandbox.behaviour_switches import EXCLUSIVE_VARIANTS, RESPONSE_VARIANTS
from fullscript_pipeline.sandbox.endpoints import ENDPOINTS, SandboxEndpoint
from fullscript_pipeline_tests.helpers.sandbox_paths import listed, path_of, sample_ids
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox

DAY = st.dates().map(str)
WORD = st.text(max_size=12) | st.sampled_from(
    ["ASC", "desc", "name", "created_at", "completed_at", "all", "labs", "true"]
)
VALUE = WORD | DAY | DAY.map("<{}".format) | DAY.map(">{}".format) | st.tuples(DAY, DAY).map("..".join)
PAGING = st.dictionaries(st.sampled_from(["page[number]", "page[size]"]), st.integers(-1, 10**9).map(str) | WORD)
some = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    directory = tmp_path_factory.mktemp("sandbox")
    with running_sandbox(directory, patients=25, products=40, history_days=40, rate_limit=10**6) as running:
        yield running


@pytest.fixture(scope="module")
def clients(sandbox: RunningSandbox) -> Iterator[list[tuple[httpx.Client, dict[str, str]]]]:
    with sandbox.client("maple-street") as maple, sandbox.client("cedre-rouge") as cedre:
        yield [(maple, sample_ids(maple)), (cedre, {})]


def check(answer: httpx.Response) -> None:
    assert answer.status_code in {200, 201, 403, 404, 422}, answer.request.url
    body = answer.json()
    assert answer.headers["X-Request-Id"]
    if answer.status_code == 422:
        assert body["error"]
        assert all(isinstance(sentence, str) for sentence in body["error"])
    elif answer.status_code >= 400:
        assert isinstance(body["error"], str)
    elif "meta" in body:
        meta = body["meta"]
        (rows,) = [value for key, value in body.items() if key != "meta"]
        assert len(rows) <= 100
        assert meta["total_count"] >= len(rows)
        assert (meta["next_page"] is not None) == (meta["current_page"] < meta["total_pages"])


@some
@given(endpoint=st.sampled_from(ENDPOINTS), data=st.data(), paging=PAGING)
def test_any_arguments(clients: Any, endpoint: SandboxEndpoint, data: st.DataObject, paging: dict[str, str]) -> None:
    maple, ids = clients[0]
    chosen = data.draw(st.dictionaries(st.sampled_from(endpoint.arguments), VALUE)) if endpoint.arguments else {}
    check(maple.get(path_of(endpoint, maple, ids), params=chosen | paging))


@some
@given(endpoint=st.sampled_from(ENDPOINTS), name=st.text(min_size=1, max_size=20), number=st.integers(0, 1))
def test_any_id_and_any_path(clients: Any, endpoint: SandboxEndpoint, name: str, number: int) -> None:
    client, _ = clients[number]
    check(client.get("/".join(quote(name, safe="") if part[0] == "{" else part for part in endpoint.segments)))


@settings(some, max_examples=15)
@given(body=st.binary(max_size=40) | st.text(max_size=40).map(str.encode), kind=st.sampled_from(["json", "form", "x"]))
def test_any_body(sandbox: RunningSandbox, clients: Any, body: bytes, kind: str) -> None:
    client, _ = clients[0]
    header = {"Content-Type": {"json": "application/json", "form": "application/x-www-form-urlencoded"}.get(kind, kind)}
    for path in ("clinic/embeddable/session_grants", "clinic/dynamic_links/treatment_plans"):
        check(client.post(path, content=body, headers=header))
    for path in ("oauth/token", "oauth/revoke"):
        answer = client.post(path, content=body, headers=header)
        assert (answer.status_code, "error" in answer.json()) in {(400, True), (401, True)}
    for path in ("faults", "advance", "settings", "quirks", "webhooks", "webhooks/minutes", "tokens/revoke"):
        answer = httpx.post(f"{sandbox.base_url}/_sandbox/{path}", content=body, headers=header, trust_env=False)
        assert answer.status_code in {200, 400}, path


@settings(some, max_examples=25)
@given(names=st.sets(st.sampled_from(sorted(RESPONSE_VARIANTS)), max_size=8), endpoint=st.sampled_from(ENDPOINTS))
def test_any_quirks(sandbox: RunningSandbox, clients: Any, names: set[str], endpoint: SandboxEndpoint) -> None:
    """However an answer is written, it holds the same number of rows."""
    maple, ids = clients[0]
    for rivals in EXCLUSIVE_VARIANTS:
        names -= set(sorted(names & {*rivals})[1:])
    # These change which rows a page or a filter means, not which there are.
    names -= {"other_ids", "page_size_25", "nested_without_meta"}
    path = path_of(endpoint, maple, ids)
    plain = maple.get(path)
    sandbox.control.set_response_variants(*names)
    try:
        quirky = maple.get(path)
    finally:
        sandbox.control.set_response_variants()
    assert quirky.status_code == plain.status_code
    if "meta" in plain.json():
        assert len(_rows(quirky.json())) == len(_rows(plain.json()))


def _rows(body: dict[str, Any]) -> list[Any]:
    (rows,) = [value for key, value in body.items() if key != "meta"]
    return list(rows)


def test_what_the_table_lists_is_reachable_in_canada_too(sandbox: RunningSandbox, clients: Any) -> None:
    cedre, _ = clients[1]
    for endpoint in ENDPOINTS:
        if "{" not in endpoint.path and "labs" not in endpoint.path and "dynamic" not in endpoint.path:
            assert cedre.get(endpoint.path.strip("/")).status_code == 200, endpoint.path
    assert listed(cedre, "events/lab_orders") == []
