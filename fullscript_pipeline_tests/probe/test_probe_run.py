"""A probe of the sandbox: what it names, what it sends, and that its file holds no value.

What does not belong here: shapes of single records (`test_answer_shapes`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.orchestration.runtime import add_clinic_partitions, clinic_partition, open_instance, run_job
from fullscript_pipeline.probe import (
    REQUEST_LIMIT,
    estimate_requests,
    judge_report,
    open_exchange,
    run_probe,
    undocumented_endpoints,
    variants_of,
)
from fullscript_pipeline.sandbox.behaviour_switches import EXCLUSIVE_VARIANTS, RESPONSE_VARIANTS, parse_variant_names
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.probe_confusion import (
    GUIDE,
    ProbedWorld,
    confusion,
    guide_with,
    named_variants,
    probed_world,
    random_variants,
    table_of,
    verdict_on,
)

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbedWorld]:
    with probed_world(tmp_path_factory.mktemp("probe")) as probed:
        yield probed


def test_the_documented_answers_have_no_difference(world: ProbedWorld) -> None:
    for facts in world.probe([]).values():
        assert [each.fact.name for each in facts if each.verdict.word == "differs"] == []


def test_a_variant_alone_is_named_and_no_other_is(world: ProbedWorld) -> None:
    alone, together = confusion(world)
    for name, judged in alone.items():
        assert named_variants(judged) <= {name}
        assert "as documented" not in verdict_on(name, judged).values(), name
    assert guide_with(table_of(alone, together)) == GUIDE.read_text(encoding="utf-8")


@pytest.mark.parametrize("names", [sorted(parse_variant_names("all")), *random_variants(8)], ids=range(9))
def test_together_none_is_named_that_is_off(world: ProbedWorld, names: list[str]) -> None:
    judged = world.probe(names)
    assert named_variants(judged) <= set(names)
    for name in set(names) & set(RESPONSE_VARIANTS) - {"missing_scope_401"}:
        assert "as documented" not in verdict_on(name, {"US": judged["US"]}).values(), name


def test_a_probe_only_reads_and_keeps_its_limit(world: ProbedWorld) -> None:
    world.probe([])
    clinic, control = world.clinics["US"], world.connected.sandbox.control
    grant = world.connected.store.tokens.load_grant(clinic)
    assert grant is not None
    control.reset_requests()
    with open_exchange(world.connected.settings, world.connected.store, clinic) as exchange:
        report = run_probe(exchange, clinic, grant.scopes, undocumented_endpoints())
    sent = control.requests()
    assert report.requests <= estimate_requests(grant.scopes, undocumented_endpoints()) <= REQUEST_LIMIT
    assert sent["total"] == report.requests
    assert {row["method"] for row in sent["counts"]} == {"GET"}
    assert not any("dynamic_links" in row["endpoint"] for row in sent["counts"])


def test_the_file_holds_no_value_of_any_record(world: ProbedWorld) -> None:
    clinic, settings = world.clinics["US"], world.connected.settings
    world.probe([], ["US"])
    with open_exchange(settings, world.connected.store, clinic) as exchange:
        bodies: list[Any] = []
        get = exchange.get

        def recording(*arguments: Any) -> Any:
            answer = get(*arguments)
            bodies.append(answer.body)
            return answer

        with patch.object(exchange, "get", recording):
            report = run_probe(exchange, clinic, ())
    text = report.model_dump_json()
    values = {value for body in bodies for value in _texts(body)}
    told = set(_documented_words(report.model_dump()))
    assert len(values) > 1_000
    leaked = {value for value in values - told if len(value) > 3 and f'"{value}"' in text}
    assert leaked <= {"text", "null", "US", "complete"} | set(_names(report.model_dump())), leaked
    assert not [value for value in values if ("@" in value or "-" in value) and len(value) > 9 and value in text]


def _texts(body: Any) -> Iterator[str]:
    """Every text that is a value, at any depth."""
    if isinstance(body, str):
        yield body
    for part in body.values() if isinstance(body, dict) else body if isinstance(body, list) else ():
        yield from _texts(part)


def _documented_words(part: Any) -> Iterator[str]:
    """The words of the file, which the documentation has."""
    for key, inner in part.items() if isinstance(part, dict) else ():
        yield from inner if key == "words" else _documented_words(inner)


def _names(part: Any) -> Iterator[str]:
    """Every key of the file."""
    if isinstance(part, dict):
        yield from part
        for inner in part.values():
            yield from _names(inner)


def test_what_a_file_shows_is_served_probed_and_pulled_again(world: ProbedWorld, tmp_path: Path) -> None:
    """A difference seen in the field becomes a sandbox that answers so; a clinic is connected to it and pulled."""
    names = ["filter_local_days", "nested_without_meta", "page_size_25", "string_numbers", "thin_plan_rows"]
    shown = variants_of(world.probe(names, ["US"])["US"], EXCLUSIVE_VARIANTS)
    assert sorted(shown) == names
    with connected_pipeline(tmp_path, clinics=1, patients=90, history_days=60) as replayed:
        replayed.sandbox.control.set_response_variants(*shown)
        (clinic,) = replayed.store.clinics.all()
        with open_exchange(replayed.settings, replayed.store, clinic) as exchange:
            report = run_probe(exchange, clinic, ())
        assert sorted(variants_of(judge_report(report), EXCLUSIVE_VARIANTS)) == names
        with open_instance(replayed.settings) as instance:
            add_clinic_partitions(instance, replayed.store)
            day = clock.today(replayed.settings.time_zone)
            assert run_job(instance, "clinic_daily", partition=clinic_partition(clinic.clinic_key, day)).failures == ()


def test_the_guide_names_the_limit() -> None:
    assert f"at most {REQUEST_LIMIT} requests" in Path(GUIDE).read_text(encoding="utf-8")
