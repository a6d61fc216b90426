"""Named switches: what supports one, what it changes, and that nothing changes without it."""

from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline.api import WHOLE_UTC_DAYS, store_assumptions, stored_assumptions
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.extraction.pulls.orders import Window
from fullscript_pipeline.probe import Fact, JudgedFact, load_facts, read_report, unsupported_facts, variants_of
from fullscript_pipeline.probe.verdict import AS_DOCUMENTED, UNKNOWN, FactVerdict, differs_if
from fullscript_pipeline.sandbox.behaviour_switches import EXCLUSIVE_VARIANTS
from fullscript_pipeline.state import StateStore

DAY = date(2026, 11, 22)


def judged(verdicts: dict[str, FactVerdict]) -> list[JudgedFact]:
    return [JudgedFact(fact=fact, verdict=verdicts.get(fact.name, UNKNOWN)) for fact in load_facts()]


def test_a_switch_needs_every_fact() -> None:
    needs = unsupported_facts(WHOLE_UTC_DAYS, judged({}))
    assert needs == ["filter_zone", "filter_range", "filter_edges"]
    assert unsupported_facts(WHOLE_UTC_DAYS, judged(dict.fromkeys(needs, AS_DOCUMENTED))) == []
    with pytest.raises(UsageError, match="There is no switch 'speed'"):
        unsupported_facts("speed", [])


def test_a_switch_is_of_one_server(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite") as store:
        assert stored_assumptions(store.facts, "us") == frozenset()
        store_assumptions(store.facts, "us", {WHOLE_UTC_DAYS})
        assert stored_assumptions(store.facts, "us") == {WHOLE_UTC_DAYS}
        assert stored_assumptions(store.facts, "ca") == frozenset()


def test_whole_utc_days_spare_a_day_of_orders_on_each_side() -> None:
    span = Window(first=DAY, last=DAY)
    assert span.params()["completed_at"] == "2026-11-20..2026-11-24"
    assert span.params({WHOLE_UTC_DAYS})["completed_at"] == "2026-11-21..2026-11-23"
    assert Window(first=DAY).params({WHOLE_UTC_DAYS}) == Window(first=DAY).params()


def test_a_replay_has_one_variant_of_each_exclusive_group() -> None:
    differing = {"error_lists": differs_if(differs=True), "error_object": differs_if(differs=True)}
    assert variants_of(judged(differing), EXCLUSIVE_VARIANTS) == ["error_arrays"]


def test_another_file_is_not_replayed(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"server": "us", "patients": ["Ann"]}')
    with pytest.raises(UsageError, match="was not written by `probe`"):
        read_report(tmp_path / "other.json")
    with pytest.raises(UsageError, match="cannot be read"):
        read_report(tmp_path / "missing.json")


def test_facts_name_their_page() -> None:
    assert all(isinstance(fact, Fact) and fact.page.endswith(".md") for fact in load_facts())
