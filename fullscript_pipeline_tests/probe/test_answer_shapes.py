"""No value, id or name gets into a shape. What does not belong here: whole probes (`test_probe_run`)."""

from typing import Any

import pytest

from fullscript_pipeline.api.description import shape_at
from fullscript_pipeline.api.endpoints import ENDPOINTS
from fullscript_pipeline.probe.answer_shapes import is_plain_key, shape_of, text_form

CANARY = "Canary"


def canary_record(endpoint: str) -> dict[str, Any]:
    """A record with a mark in every documented field, in undocumented ones, and in keys that are values."""
    shape = shape_at(endpoint)
    keys = {key: f"{CANARY} {key}" for key in (shape.keys if shape else ())}
    nested = {"id": f"{CANARY}-1", "state": CANARY, f"{CANARY}@example.test": CANARY, "canary": f"{CANARY} deep"}
    return keys | {"metadata": nested, "data": {"patient": nested, CANARY: [nested]}, f"{CANARY}-7": CANARY}


@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
def test_no_value_gets_into_a_shape(endpoint: str) -> None:
    text = shape_of(endpoint, [canary_record(endpoint)]).model_dump_json()
    assert "canary" not in text.lower()


def test_a_shape_says_types_and_forms() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "7f2c8f0e-6a6b-4a52-9c7e-3c1f5d0b9e11", "state": "complete", "completed_at": "2026-11-02T10:00:00.000Z"},
        {"id": "8", "state": "lost", "completed_at": None},
    ]
    keys = shape_of("orders", rows).keys
    assert keys["id"].forms == ["digits", "uuid"]
    assert (keys["state"].words, keys["state"].other_words) == (["complete"], 1)
    assert (keys["completed_at"].forms, keys["completed_at"].nulls) == (["0000-00-00T00:00:00.000Z"], 1)


def test_a_key_that_could_be_a_value_is_counted_only() -> None:
    seen = shape_of("patients", [{"id": "1", "ann@example.test": 1, "R000000001": 2}])
    assert (sorted(seen.keys), seen.unnamed_keys) == (["id"], 2)
    assert not is_plain_key("Ann Archer")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2018-03-02 13:26:02 -0500", "0000-00-00 00:00:00 -0000"),
        ("2018-03-02", "0000-00-00"),
        ("12", "digits"),
        ("9.50", "decimal"),
        ("Ann", "text"),
    ],
)
def test_forms(text: str, form: str) -> None:
    assert text_form(text) == form
