"""Which object an event is about, told after it was stored: by a delivery, a webhook, or its variants."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fullscript_pipeline import refresh
from fullscript_pipeline.extraction.event_proof.event_objects import fill_event_objects
from fullscript_pipeline.extraction.pulls.webhook_deliveries import pull_deliveries
from fullscript_pipeline.state import LedgerEvent
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.event_shapes import bent


@pytest.fixture(scope="module")
def live_clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path_factory.mktemp("objects"), patients=10, products=10) as found:
        yield found


def unknown(live_clinic: LiveClinic, kind: str) -> list[str]:
    """Stored events of a type that do not name their object, the newest first."""
    rows = live_clinic.rows(
        f"SELECT event_id FROM core.events WHERE event_type = '{kind}' AND resource_id IS NULL "
        "ORDER BY created_at DESC, event_id"
    )
    return [event for (event,) in rows if event in live_clinic.world.events]


def object_of(live_clinic: LiveClinic, event: str) -> Any:
    ((found,),) = live_clinic.stored("events", ["resource_id"], f"event_id = '{event}'")
    return found


@pytest.mark.parametrize("way", ["object", "text", "event beside", "no payload"])
def test_a_delivery_tells(live_clinic: LiveClinic, way: str) -> None:
    event = unknown(live_clinic, "order.placed")[0]
    row: dict[str, Any] = {"id": f"try-{event}", "event_id": event, "attempted_at": "2026-11-21T10:00:00Z"}
    payload = live_clinic.payload(event)
    shapes: dict[str, dict[str, Any]] = {
        "object": {"event_payload": {"event": payload}},
        "text": {"event_payload": json.dumps({"event": payload})},
        "event beside": {"event": payload},
        "no payload": {},
    }
    row |= shapes[way]
    with (
        bent(lambda path, body: {"webhook_deliveries": [row]} if path == "/webhooks/deliveries" else body),
        live_clinic.session(live_clinic.clinic) as session,
    ):
        pull_deliveries(live_clinic.target(live_clinic.clinic), session)
    assert object_of(live_clinic, event) == (None if way == "no payload" else payload["data"]["id"])


def test_a_webhook_that_comes_later_tells(live_clinic: LiveClinic) -> None:
    event = unknown(live_clinic, "patient.updated")[0]
    live_clinic.receive(live_clinic.payload(event))
    refresh.ingest_inbox(live_clinic.store)
    fill_event_objects(live_clinic.warehouse, live_clinic.store, live_clinic.clinic)
    assert object_of(live_clinic, event) == live_clinic.world.events[event].data["patient"]["id"]


def test_variants_tell_where_they_lead_to_one_product(live_clinic: LiveClinic) -> None:
    first, second = list(live_clinic.world.catalog.products.values())[:2]
    shown = {"first": first["variants"], "both": [first["variants"][0], second["variants"][0]], "none": [{"id": "x"}]}
    with live_clinic.warehouse.write() as con:
        for name, variants in shown.items():
            data = json.dumps({"data": {"product": {"variants": [{"id": one["id"]} for one in variants]}}})
            con.execute(
                "INSERT INTO core.events (clinic_id, event_id, event_type, extra) VALUES (?, ?, 'product.updated', ?)",
                [live_clinic.clinic.clinic_id, name, data],
            )
    event = unknown(live_clinic, "product.updated")[0]
    hint = f"variant:{second['variants'][0]['id']}"
    live_clinic.store.events.record(
        [
            LedgerEvent(
                server=live_clinic.clinic.server,
                clinic_id=live_clinic.clinic.clinic_id,
                event_id=event,
                event_type=None,
                resource_id=hint,
            )
        ]
    )
    fill_event_objects(live_clinic.warehouse, live_clinic.store, live_clinic.clinic)
    assert object_of(live_clinic, "first") == first["id"]
    assert object_of(live_clinic, "both") is None
    assert object_of(live_clinic, "none") is None
    assert object_of(live_clinic, event) == second["id"]
