"""What the Dagster UI shows to who has signed in: its pages, and the data that they are made of.

What does not belong here: what may stand in it (`secrecy_drill`).
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from fullscript_pipeline.cli.subprocesses import run_child
from fullscript_pipeline.settings import Settings
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.ui_links import ui_link
from fullscript_pipeline_tests.helpers.wait_until import wait

_PAGES = (
    "/",
    "/runs",
    "/assets/core/patients",
    "/asset-groups",
    "/automation",
    "/deployment/daemons",
    "/pages/reference",
)
_ENTRIES = """metadataEntries { label description
    ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr }
    ... on JsonMetadataEntry { jsonString } ... on PathMetadataEntry { path } ... on UrlMetadataEntry { url }
    ... on TableMetadataEntry { table { records } } }"""
_RUNS = "{ runsOrError { ... on Runs { results { runId jobName runConfigYaml tags { key value } } } } }"
_ASSETS = f"{{ assetNodes {{ assetKey {{ path }} description partitionKeys tags {{ key value }} {_ENTRIES} }} }}"
_TICKS = """{ repositoriesOrError { ... on RepositoryConnection { nodes { sensors { name description sensorState {
    ticks(limit: 20) { cursor skipReason runKeys error { message stack } } } } } } } }"""
_EVENTS = f"""query($run: ID!) {{ logsForRun(runId: $run, limit: 1000) {{ ... on EventConnection {{ events {{
    ... on MessageEvent {{ message eventType }}
    ... on MaterializationEvent {{ partition tags {{ key value }} {_ENTRIES} }}
    ... on ObservationEvent {{ {_ENTRIES} }}
    ... on AssetCheckEvaluationEvent {{ evaluation {{ description {_ENTRIES} }} }}
    ... on ExecutionStepFailureEvent {{ error {{ message stack }} failureMetadata {{ {_ENTRIES} }} }}
    ... on RunFailureEvent {{ error {{ message stack }} }} }} }} }} }}"""


def shown_by_ui(settings: Settings, variables: Mapping[str, str], folder: Path) -> dict[str, bytes]:
    """Page or query -> what it answers, of a UI that is started for it and ended after."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "fullscript_pipeline", "ui", "--port", str(port)]
    with (folder / "ui.log").open("w") as log, run_child(command, {**os.environ, **variables}, stdout=log, stderr=log):
        assert wait(lambda: _is_up(url), 120), (folder / "ui.log").read_text()
        with httpx.Client(base_url=url, headers={"Origin": url}, trust_env=False, timeout=120) as page:
            page.get(ui_link(settings, ""))
            shown = {path: page.get(path).content for path in _PAGES}
            shown |= dict(_answers(page))
    return shown | {"ui.log": (folder / "ui.log").read_bytes()}


def _answers(page: httpx.Client) -> Iterator[tuple[str, bytes]]:
    runs = _post_query(page, _RUNS)
    yield "runs", runs.content
    yield "assets", _post_query(page, _ASSETS).content
    yield "ticks", _post_query(page, _TICKS).content
    for run in runs.json()["data"]["runsOrError"]["results"]:
        yield f"run {run['runId']}", _post_query(page, _EVENTS, run=run["runId"]).content


def _post_query(page: httpx.Client, query: str, **variables: Any) -> httpx.Response:
    answer = page.post("/graphql", json={"query": query, "variables": variables})
    assert answer.is_success and "errors" not in answer.json(), answer.text[:2000]
    return answer


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/server_info", trust_env=False).is_success
    except httpx.TransportError:
        return False
