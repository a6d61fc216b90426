"""Records whose shape the description does not know, through the real reading, landing, loading; for promise 25."""

import copy
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.api import ENDPOINTS, ClinicRef, RequestSummary
from fullscript_pipeline.api.response_parsing import Page, parse_list
from fullscript_pipeline.extraction.engine import Load, Pull, Target
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.connection import Warehouse

TIME = "2026-05-04T23:30:00.000-05:00"
LINE = {"variant_id": "v1", "quantity": 2, "type": "supplement"}
BASES: dict[str, tuple[Table, dict[str, Any]]] = {
    "orders": (ORDERS, {
        "id": "o", "order_number": "R1", "completed_at": TIME, "patient_id": "a", "treatment_plan_ids": ["p"],
        "line_items": [LINE, dict(LINE)],
    }),
    "patients": (PATIENTS, {
        "id": "a", "first_name": "A", "date_of_birth": "2000-01-01", "discount": 1, "total_discount": 1.5,
        "text_message_notification": True, "metadata": {"id": "m"},
    }),
    "patient_treatment_plans": (TREATMENT_PLANS, {
        "id": "p", "state": "active", "available_at": "2026-05-04", "created_at": TIME, "patient": {"id": "a"},
        "recommendations": [{"variant_id": "v1", "refill": True, "units_to_purchase": 2, "dosage": {"amount": "1"}}],
        "resources": [], "lab_recommendations": [],
    }),
    "lab_orders": (LAB_ORDERS, {
        "id": "l", "state": "purchased", "patient_id": "a", "tests": [{"id": "t", "name": "T"}], "results": [],
    }),
    "products": (PRODUCTS, {
        "id": "x", "name": "P", "brand": {"id": "b", "name": "B"},
        "variants": [{"id": "v", "primary": True, "units": 60, "status": "available", "msrp": "19.99"}],
    }),
}  # fmt: skip
# Keys to spoil, dotted, and the object they are told under.
WORDS = {"patient_treatment_plans": "state", "lab_orders": "state", "orders": "line_items.type",
         "products": "variants.status"}  # fmt: skip
NUMBERS = {"orders": "line_items.quantity", "patients": "total_discount", "products": "variants.units",
           "patient_treatment_plans": "recommendations.units_to_purchase"}  # fmt: skip
OBJECTS = {"orders": "line_items", "patients": "discount", "patient_treatment_plans": "patient",
           "lab_orders": "tests", "products": "variants"}  # fmt: skip
TIMES = {"orders": "completed_at", "patient_treatment_plans": "created_at"}
DAYS = {"patients": "date_of_birth", "patient_treatment_plans": "available_at"}
NAMES = {"orders": "order", "patients": "patient", "patient_treatment_plans": "treatment_plan",
         "lab_orders": "lab_order", "products": "product"}  # fmt: skip


@dataclass(frozen=True)
class Mutated:
    """A record, and the difference that must be told of it (None: it is as described, only odd)."""

    kind: str
    endpoint: str
    record: dict[str, Any]
    told: tuple[str, str] | None


def mutated(seed: int) -> Mutated:
    """One payload, always the same for a seed."""
    chance = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    return _MAKERS[kind](chance, seed)


def _base(endpoint: str, seed: int) -> dict[str, Any]:
    return {**copy.deepcopy(BASES[endpoint][1]), "id": f"{endpoint[:3]}-{seed}"}


def _set(record: dict[str, Any], path: str, value: Any) -> None:
    first, _, rest = path.partition(".")
    if not rest:
        record[first] = value
        return
    below = record[first]
    _set(below[0] if isinstance(below, list) else below, rest, value)


def _new_key(chance: random.Random, seed: int) -> Mutated:
    endpoint = chance.choice(sorted(BASES))
    record, key = _base(endpoint, seed), f"key_{seed}"
    below = [name for name in OBJECTS.values() if isinstance(record.get(name), list | dict)]
    path = chance.choice(["", *(f"{name}." for name in below)]) + key
    _set(record, path, chance.choice(["x", 1, None, [], {"deep": [1]}, True]))
    return Mutated("new key", endpoint, record, ("new_key", path))


def _new_word(chance: random.Random, seed: int) -> Mutated:
    endpoint = chance.choice(sorted(WORDS))
    record, word = _base(endpoint, seed), f"odd_{seed}"
    _set(record, WORDS[endpoint], word)
    return Mutated("new word", endpoint, record, ("unknown_word", f"{WORDS[endpoint]}: {word}"))


def _long_id(chance: random.Random, seed: int) -> Mutated:
    endpoint = chance.choice(sorted(BASES))
    record = _base(endpoint, seed) | {"id": f"{seed}|" + chance.choice(["é", "'", '"', "/", "💊", "A"]) * 490}
    return Mutated("long id", endpoint, record, None)


def _null_for_object(chance: random.Random, seed: int) -> Mutated:
    endpoint = chance.choice(sorted(OBJECTS))
    record = _base(endpoint, seed) | {OBJECTS[endpoint]: None}
    return Mutated("null", endpoint, record, ("type", f"{OBJECTS[endpoint]}: null"))


def _string_number(chance: random.Random, seed: int) -> Mutated:
    endpoint = chance.choice(sorted(NUMBERS))
    record = _base(endpoint, seed)
    _set(record, NUMBERS[endpoint], chance.choice(["3", "3.0", " 3", "1e1", "three", "0x10", "٣", "1" * 60]))
    return Mutated("string number", endpoint, record, ("type", f"{NUMBERS[endpoint]}: text"))


def _odd_offset(chance: random.Random, seed: int) -> Mutated:
    endpoint = chance.choice(sorted(TIMES))
    offset = chance.choice(["+05:45", "-12:00", "+14:00", "+0530", "+05", "", " UTC", "+25:00", "Z+01"])
    record = _base(endpoint, seed)
    _set(record, TIMES[endpoint], f"2026-05-04T23:30:00{offset}")
    legal = offset in ("+05:45", "-12:00", "+14:00")
    odd = ("type", f"{TIMES[endpoint]}: no ISO 8601 time with its offset")
    return Mutated("offset", endpoint, record, None if legal else odd)


def _leap_day(chance: random.Random, seed: int) -> Mutated:
    endpoint = chance.choice(sorted(DAYS))
    record = _base(endpoint, seed)
    _set(record, DAYS[endpoint], chance.choice(["2028-02-29", "2027-02-29", "2000-02-29", "1900-02-29"]))
    return Mutated("leap day", endpoint, record, None)


_MAKERS = {
    "new key": _new_key, "new word": _new_word, "long id": _long_id, "null for object": _null_for_object,
    "string number": _string_number, "odd offset": _odd_offset, "leap day": _leap_day,
}  # fmt: skip
KINDS = tuple(_MAKERS)


class _RightClock:
    """No server is asked for its time."""

    warning = None

    def require_checked(self) -> None:
        pass


class _Server:
    """A session that answers one list; the real reading of answers, no network."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.clinic = ClinicRef(server="us-snd", clinic_id="c1", clinic_key="acme", region="us")
        self.requests: Counter[str] = Counter()
        self.retries = 0
        self.viewers: frozenset[tuple[str | None, frozenset[str]]] = frozenset([(None, frozenset())])
        self.server_clock = _RightClock()
        self._records = records

    def pages(self, endpoint: str, *_: object, **__: object) -> Iterator[Page]:
        described = ENDPOINTS[endpoint]
        asked = RequestSummary(endpoint=endpoint, server="us-snd", method="GET", url=described.path)
        key, records, unexpected = parse_list(described, {described.wrapper_keys[0]: self._records}, asked)
        yield Page(
            number=1,
            records=records,
            total_count=len(records),
            total_pages=1,
            request_id=None,
            fetched_at=clock.now(),
            wrapper_key=key,
            unexpected_wrapper=unexpected,
            is_last=True,
        )


def lost(warehouse: Warehouse, folder: Path, mutated: list[Mutated]) -> list[Mutated]:
    """Pulls the payloads, a pull per endpoint; those that are neither in their table nor in quarantine, or not told."""
    server = _Server([])
    target = Target(
        warehouse=warehouse,
        landing_dir=folder,
        encryption_key=None,
        server="us-snd",
        region="us",
        day=date(2026, 11, 22),
        run_id="run",
        clinic=server.clinic,
    )
    for endpoint, (table, _) in BASES.items():
        records = [one.record for one in mutated if one.endpoint == endpoint]
        if records:
            pull = Pull(target, endpoint)
            pull.walk(_Server(records), endpoint)  # type: ignore[arg-type]  # as much of a session as a walk needs
            pull.commit(Load(table=table, lines=pull.lines(endpoint)))
    with warehouse.read() as con:
        drift_rows = set(con.execute("SELECT object, what, detail FROM ops.drift").fetchall())
        there = {
            (endpoint, one)
            for endpoint, (table, _) in BASES.items()
            for (one,) in con.execute(f"SELECT {table.key[-1]} FROM core.{table.name}").fetchall()
        }
        aside = {one for (one,) in con.execute("SELECT record_id FROM ops.quarantine").fetchall()}
    return [
        one
        for one in mutated
        if not ((one.endpoint, one.record["id"]) in there or one.record["id"] in aside)
        or (one.told and (NAMES[one.endpoint], *one.told) not in drift_rows)
    ]
