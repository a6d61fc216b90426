"""Random histories of events whose objects are late, denied once, refused or timeless, against what became of them.

A history is a few things that happen, told by feed, webhook or both, in any order, while the server answers some
objects as if they were not there. What does not belong here: how many (`test_proof`, `soak.test_events`).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fullscript_pipeline import refresh
from fullscript_pipeline.event_types import event_family
from fullscript_pipeline.sandbox.world import Event
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic
from fullscript_pipeline_tests.helpers.event_shapes import bent

_KEYS = {"order": "order_id", "treatment_plan": "treatment_plan_id", "patient": "patient_id"}
_TABLES = {"order": "orders", "treatment_plan": "treatment_plans", "patient": "patients"}
_PATHS = {"order": "/clinic/orders*", "treatment_plan": "/clinic/treatment_plans/*", "patient": "/clinic/patients*"}
_FAULTS = ("late_object", "late_object", "not_found once", "forbidden", "none")


@dataclass
class Tally:
    """What came of the histories. `unproven`: events that count as handled while their object is not stored; `lost`:
    objects that the server has and a clean pull left out."""

    histories: int = 0
    events: int = 0
    unproven: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


def play(live_clinic: LiveClinic, seeds: range, tally: Tally) -> None:
    """One history after the other in the same world, each with a clean end."""
    for seed in seeds:
        chance = Random(seed)
        events = _happens(live_clinic, chance)
        with bent(_bend(chance)):
            _announce(live_clinic, events, chance)
            for _ in range(chance.randint(1, 3)):
                _disturb(live_clinic, events, chance, tally)
                live_clinic.look()
                live_clinic.handle()
                live_clinic.connected.sandbox.control.disarm()
                tally.unproven += _unproven(live_clinic)
        _retry_refused(live_clinic)
        live_clinic.look()
        live_clinic.handle()
        live_clinic.handle()
        tally.histories += 1
        tally.events += len(events)
        tally.unproven += _unproven(live_clinic)
        tally.lost += _lost(live_clinic, events)
        tally.removed += _removed(live_clinic)


def _happens(live_clinic: LiveClinic, chance: Random) -> list[Event]:
    known = set(live_clinic.world.events)
    for _ in range(chance.randint(1, 3)):
        match chance.choice(["order", "order", "plan", "patient", "unknown", "nothing"]):
            case "order":
                live_clinic.order()
            case "plan":
                live_clinic.change_plan(
                    chance.choice(live_clinic.active_plans()), personal_message=f"{chance.random()}"
                )
            case "patient":
                patient = chance.choice(list(live_clinic.world.patients.values()))
                patient.record["mobile_number"] = f"+1555{chance.randrange(10**7):07d}"
                live_clinic.record_event("patient.updated", {"patient": patient.record})
            case "unknown":
                number = chance.random()
                live_clinic.receive(
                    {"id": f"odd-{number}", "type": "practitioner.moved", "data": {"id": f"p-{number}"}}
                )
            case "nothing":
                live_clinic.record_event("order.placed", {})
    return [event for key, event in live_clinic.world.events.items() if key not in known]


def _announce(live_clinic: LiveClinic, events: list[Event], chance: Random) -> None:
    """Some by webhook too, once or twice, in any order."""
    payloads = [live_clinic.payload(event.id) for event in events for _ in range(chance.choice([0, 0, 1, 2]))]
    chance.shuffle(payloads)
    live_clinic.receive(*payloads)
    refresh.ingest_inbox(live_clinic.store)


def _bend(chance: Random) -> Any:
    """Feeds as documented; without times; ids and types only; or without times anywhere."""
    way = chance.choice(["plain", "no times", "ids", "no times at all"])

    def bend(path: str, body: Any) -> Any:
        if path.startswith("/events/") and "events" in body and way != "plain":
            kept = ("id",) if way == "ids" else ("id", "type", "clinic_id")
            return {**body, "events": [{key: row[key] for key in kept if key in row} for row in body["events"]]}
        if path == "/events/{id}" and way == "no times at all":
            return {"event": {key: value for key, value in body["event"].items() if key != "created_at"}}
        return body

    return bend


def _disturb(live_clinic: LiveClinic, events: list[Event], chance: Random, tally: Tally) -> None:
    for event in events:
        object_id, kind = _object_of(event)
        fault = chance.choice(_FAULTS)
        if fault == "late_object" and kind != "order":
            fault = "not_found once"  # what was there, and is neither found nor listed, is gone
        if object_id is None or kind not in _PATHS or fault == "none":
            continue
        tally.faults[fault] += 1
        control = live_clinic.connected.sandbox.control
        if fault == "late_object":
            control.arm("late_object", endpoint=_PATHS[kind], objects=[object_id], count=None)
        elif fault == "forbidden":
            control.arm("forbidden", endpoint=_PATHS[kind], count=2)
        else:
            control.arm("not_found", endpoint=_PATHS[kind], count=1)


def _object_of(event: Event) -> tuple[str | None, str]:
    family = event_family(event.type)
    if family is None:
        return None, ""
    data = event.data.get(family.prefix, event.data)
    return (str(data["id"]) if isinstance(data, dict) and data.get("id") else None), family.prefix


def _retry_refused(live_clinic: LiveClinic) -> None:
    """Somebody connects again: what was refused is tried once more."""
    if live_clinic.store.tries.backlog(live_clinic.clinic).unreadable:
        live_clinic.connected.connect(next(iter(live_clinic.connected.sandbox.clinics)))


def _unproven(live_clinic: LiveClinic) -> Iterator[str]:
    """Events that count as handled and whose object is not stored."""
    handled = {one for (one,) in live_clinic.stored("events", ["event_id"], "processed_at IS NOT NULL")}
    stored = {kind: _stored(live_clinic, kind) for kind in _TABLES}
    for event in live_clinic.world.events.values():
        object_id, kind = _object_of(event)
        if event.id in handled and object_id is not None and kind in stored and object_id not in stored[kind]:
            yield f"{event.type} {object_id}"


def _lost(live_clinic: LiveClinic, events: list[Event]) -> Iterator[str]:
    for event in events:
        object_id, kind = _object_of(event)
        if object_id is not None and kind in _TABLES and object_id not in _stored(live_clinic, kind):
            yield f"{event.type} {object_id}"


def _removed(live_clinic: LiveClinic) -> Iterator[str]:
    """Rows marked removed that the server still has: nothing was deleted in this world."""
    for kind, table in _TABLES.items():
        for (key,) in live_clinic.stored(table, [_KEYS[kind]], "removed_at IS NOT NULL"):
            yield f"{table} {key}"


def _stored(live_clinic: LiveClinic, kind: str) -> set[str]:
    return {key for (key,) in live_clinic.stored(_TABLES[kind], [_KEYS[kind]])}
