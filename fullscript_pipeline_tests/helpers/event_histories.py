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
from fullscript_pipeline_tests.helpers.clinic_fixture import Living
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


def play(its: Living, seeds: range, tally: Tally) -> None:
    """One history after the other in the same world, each with a clean end."""
    for seed in seeds:
        chance = Random(seed)
        told = _happens(its, chance)
        with bent(_bend(chance)):
            _tell(its, told, chance)
            for _ in range(chance.randint(1, 3)):
                _disturb(its, told, chance, tally)
                its.look()
                its.handle()
                its.connected.sandbox.control.disarm()
                tally.unproven += _unproven(its)
        _retry_refused(its)
        its.look()
        its.handle()
        its.handle()
        tally.histories += 1
        tally.events += len(told)
        tally.unproven += _unproven(its)
        tally.lost += _lost(its, told)
        tally.removed += _removed(its)


def _happens(its: Living, chance: Random) -> list[Event]:
    known = set(its.world.events)
    for _ in range(chance.randint(1, 3)):
        match chance.choice(["order", "order", "plan", "patient", "unknown", "nothing"]):
            case "order":
                its.order()
            case "plan":
                its.change_plan(chance.choice(its.active_plans()), personal_message=f"{chance.random()}")
            case "patient":
                patient = chance.choice(list(its.world.patients.values()))
                patient.record["mobile_number"] = f"+1555{chance.randrange(10**7):07d}"
                its.tell("patient.updated", {"patient": patient.record})
            case "unknown":
                number = chance.random()
                its.receive({"id": f"odd-{number}", "type": "practitioner.moved", "data": {"id": f"p-{number}"}})
            case "nothing":
                its.tell("order.placed", {})
    return [event for key, event in its.world.events.items() if key not in known]


def _tell(its: Living, told: list[Event], chance: Random) -> None:
    """Some by webhook too, once or twice, in any order."""
    payloads = [its.payload(event.id) for event in told for _ in range(chance.choice([0, 0, 1, 2]))]
    chance.shuffle(payloads)
    its.receive(*payloads)
    refresh.ingest_inbox(its.store)


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


def _disturb(its: Living, told: list[Event], chance: Random, tally: Tally) -> None:
    for event in told:
        its_id, kind = _object_of(event)
        fault = chance.choice(_FAULTS)
        if fault == "late_object" and kind != "order":
            fault = "not_found once"  # what was there, and is neither found nor listed, is gone
        if its_id is None or kind not in _PATHS or fault == "none":
            continue
        tally.faults[fault] += 1
        control = its.connected.sandbox.control
        if fault == "late_object":
            control.arm("late_object", endpoint=_PATHS[kind], objects=[its_id], count=None)
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


def _retry_refused(its: Living) -> None:
    """Somebody connects again: what was refused is tried once more."""
    if its.store.event_backlog(its.clinic).unreadable:
        its.connected.connect(next(iter(its.connected.sandbox.clinics)))


def _unproven(its: Living) -> Iterator[str]:
    """Events that count as handled and whose object is not stored."""
    handled = {one for (one,) in its.stored("events", ["event_id"], "processed_at IS NOT NULL")}
    stored = {kind: _stored(its, kind) for kind in _TABLES}
    for event in its.world.events.values():
        its_id, kind = _object_of(event)
        if event.id in handled and its_id is not None and kind in stored and its_id not in stored[kind]:
            yield f"{event.type} {its_id}"


def _lost(its: Living, told: list[Event]) -> Iterator[str]:
    for event in told:
        its_id, kind = _object_of(event)
        if its_id is not None and kind in _TABLES and its_id not in _stored(its, kind):
            yield f"{event.type} {its_id}"


def _removed(its: Living) -> Iterator[str]:
    """Rows marked removed that the server still has: nothing was deleted in this world."""
    for kind, table in _TABLES.items():
        for (one,) in its.stored(table, [_KEYS[kind]], "removed_at IS NOT NULL"):
            yield f"{table} {one}"


def _stored(its: Living, kind: str) -> set[str]:
    return {one for (one,) in its.stored(_TABLES[kind], [_KEYS[kind]])}
