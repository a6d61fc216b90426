"""Which object an event is about, out of every nesting of its data."""

from typing import Any

import pytest

from fullscript_pipeline.extraction.event_records import resource_of

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
    assert resource_of({"id": "event", "type": kind, "clinic_id": "clinic", "data": data}) == found
