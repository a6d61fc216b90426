"""Promise 25: a shape that nobody described is survived, and never silent."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from fullscript_pipeline.api import Differences
from fullscript_pipeline.api.description import build_shapes
from fullscript_pipeline.api.description.shapes import FILE
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.mutated_records import KINDS, lost, mutated


def test_mutated_payloads_are_loaded_or_set_aside_and_told(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    payloads = [mutated(seed) for seed in range(5 * len(KINDS))]
    assert lost(warehouse, tmp_path / "landing", payloads) == []


def test_the_shapes_are_made_from_the_description() -> None:
    made = json.loads(files("fullscript_pipeline.api.description").joinpath(FILE).read_text(encoding="utf-8"))
    assert made == build_shapes.build_shapes(), "run `python -m fullscript_pipeline.api.description.build_shapes`"


ORDER: dict[str, object] = {"id": "1", "order_number": "R", "completed_at": "2026-05-04T23:30:00Z", "patient_id": "a",
         "treatment_plan_ids": [], "line_items": [{"variant_id": "v", "quantity": 1, "type": "labs"}]}  # fmt: skip


def told(endpoint: str, *records: dict[str, object]) -> list[tuple[str, str]]:
    differences = Differences()
    differences.see(endpoint, records)
    return [(one.what, one.detail) for one in differences.differences()]


def test_what_is_as_described_is_no_difference() -> None:
    assert told("orders", ORDER, ORDER) == []
    assert told("treatment_plan_events", {"id": "1"}) == [], "a bare reference has nothing more to be missing"


def test_a_key_is_missing_when_no_record_has_it() -> None:
    without = {key: value for key, value in ORDER.items() if key != "order_number"}
    assert told("orders", without) == [("missing_key", "order_number")]
    assert told("orders", without, ORDER) == []
    # Rows of a list may lack what the object itself has; the object may not.
    thin = {key: value for key, value in ORDER.items() if key != "line_items"}
    assert told("orders", thin) == []
    assert told("order", thin) == [("missing_key", "line_items")]


@pytest.mark.parametrize("key", ["jane@example.com", "+12223334444", "x" * 80, "Jane Doe"])
def test_a_key_that_may_be_a_value_is_not_told(key: str) -> None:
    assert told("orders", ORDER | {key: 1}) == [("new_key", "(no plain word)")]


def test_words_are_told_only_of_keys_that_say_nothing_about_a_person() -> None:
    plan: dict[str, object] = {"id": "1", "state": "Jane <jane@example.com>", "recommendations": [], "resources": [],
            "lab_recommendations": []}  # fmt: skip
    assert told("patient_treatment_plans", plan) == [("unknown_word", "state: (no plain word)")]
    patient: dict[str, object] = {
        "id": "1",
        "gender": "Jane",
        "discount": 0,
        "total_discount": 0,
        "text_message_notification": True,
    }
    assert told("patients", patient) == []
