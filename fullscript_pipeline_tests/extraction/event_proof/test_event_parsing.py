"""Which object an event is about, out of every nesting of its data."""

from typing import Any

import pytest

from fullscript_pipeline.extraction.event_proof.event_parsing import event_time, object_id_in, parse_event
from fullscript_pipeline.warehouse.landing import make_line, parse_line

PLAN = {"id": "plan", "patient": {"id": "patient"}, "practitioner": {"id": "practitioner"}}


@pytest.mark.parametrize(
    ("kind", "data", "found"),
    [
        ("treatment_plan.created", {"treatment_plan": PLAN}, "plan"),
        ("treatment_plan.created", PLAN, "plan"),
        ("treatment_plan.recommendation.updated", {"treatment_plan_id": 7, "patient": {"id": "patient"}}, "7"),
        ("treatment_plan.updated", {"patient": {"id": "patient"}}, None),
        ("order.placed", {"id": 391, "patient_id": "patient", "treatment_plan": PLAN}, "391"),
        ("order.placed", {"order": {"id": "order"}, "patient": {"id": "patient"}}, "order"),
        ("lab_order.updated", {"lab_order": {"id": "lab", "patient_id": "patient"}}, "lab"),
        ("lab_order.updated", {"id": "lab", "order": {"id": "order"}}, "lab"),
        ("lab_order.updated", {"order": {"id": "lab"}}, "lab"),
        ("patient.emancipated", {"patient": {"id": "patient", "guardian_patient_id": None}}, "patient"),
        ("product.created", {"name": "Vitamin C", "brand": {"id": "brand"}, "variants": [{"id": "variant"}]}, None),
        ("plan_was_shared", {"treatment_plan": PLAN}, "plan"),
        (None, {"id": "some", "patient": {"id": "patient"}}, "some"),
        ("order.placed", None, None),
        ("order.placed", "text", None),
    ],
)
def test_the_object_is_what_the_type_names(kind: str | None, data: Any, found: str | None) -> None:
    assert object_id_in({"id": "event", "type": kind, "clinic_id": "clinic", "data": data}) == found


@pytest.mark.parametrize(
    "odd", [None, "", {}, [], {"a": 1}, 12.5, True, "12.34567", "soon", "0000-00-00", "0001-01-01"]
)
def test_what_is_no_time_is_unknown(odd: Any) -> None:
    """Such a time was stored as it came: a refresh that counted days back from it ended in a traceback."""
    line = make_line(
        {"id": "event", "type": odd if isinstance(odd, dict | list) else "order.placed", "created_at": odd}
    )
    seen = parse_event(parse_line(line))
    assert (seen.created_at, seen.type) == (None, None if isinstance(odd, dict | list) else "order.placed")


@pytest.mark.parametrize("written", ["2026-11-20T08:00:00.000Z", "2018-03-02 13:26:02 -0500", " 2026-11-20T08:00:00Z "])
def test_a_time_stays_as_it_was_written(written: str) -> None:
    assert event_time({"created_at": written}) == written.strip()
