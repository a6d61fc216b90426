"""Orders: what a patient buys for their plans or on their own, and refunds.

`order.placed` is raised for every order; a refund raises nothing and shows as an extra `state` only. What does not
belong here: when somebody orders (`days`).
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random

from fullscript_pipeline.sandbox.labs import buy_labs
from fullscript_pipeline.sandbox.plans import next_order_after
from fullscript_pipeline.sandbox.seeded_random import DAYTIME, EVENING, moment_in, new_id
from fullscript_pipeline.sandbox.world import Patient, Plan, Record, SandboxClinic


def order_plans(
    clinic: SandboxClinic, patient: Patient, plans: Sequence[Plan], day: date, rng: Random
) -> Record | None:
    """Buys what a patient's plans recommend, on the account that pays for them; None when nothing of it is on sale."""
    lines: list[Record] = []
    for plan in plans:
        for line in plan.record["recommendations"]:
            # People skip a line now and then, and cannot buy what has left the catalog.
            if line["variant_id"] in clinic.catalog.variants and rng.random() < 0.93:
                variant_id = _other_size(clinic, line) if patient.takes_other_size else line["variant_id"]
                lines.append(_line(variant_id, line["units_to_purchase"]))
        lines += buy_labs(clinic, plan, day, rng)
        plan.next_order_on = next_order_after(plan, patient.habit, day, rng)
    if not lines:
        return None
    last_change = max(datetime.fromisoformat(plan.record["updated_at"]) for plan in plans)
    at = max(_when(day, rng), last_change + timedelta(minutes=10))  # nobody buys a plan before it is sent
    account = clinic.patients.get(patient.account_holder_id or patient.id, patient)
    return _complete(clinic, _header(account, [plan.id for plan in plans], rng), lines=lines, at=at, rng=rng)


def order_freely(clinic: SandboxClinic, patient: Patient, day: date, rng: Random) -> Record:
    """A self-serve order: no plan behind it."""
    chosen = rng.sample(list(clinic.catalog.variants), rng.choice((1, 1, 2, 3)))
    lines = [_line(variant_id, rng.choice((1, 1, 2))) for variant_id in chosen]
    return _complete(clinic, _header(patient, [], rng), lines=lines, at=_when(day, rng), rng=rng)


def refund(order: Record) -> None:
    """Refunds an order. How the API shows that is not documented; here it is in `state`."""
    order["state"] = "refunded"


def refund_partly(order: Record) -> None:
    """Refunds one piece of an order; only its lines show it."""
    line = max(order["line_items"], key=lambda line: int(line["quantity"]))
    if line["quantity"] > 1:
        # A new list and line: the event holds the old ones.
        changed = line | {"quantity": line["quantity"] - 1}
        order["line_items"] = [changed if order_line is line else order_line for order_line in order["line_items"]]
    elif len(order["line_items"]) > 1:
        order["line_items"] = order["line_items"][:-1]


def _when(day: date, rng: Random) -> datetime:
    return moment_in(day, rng, EVENING if rng.random() < 0.3 else DAYTIME)


def _other_size(clinic: SandboxClinic, line: Record) -> str:
    """The next pack of the recommended product."""
    packs = [pack["id"] for pack in clinic.catalog.variants[line["variant_id"]][1]["variants"]]
    return str(packs[(packs.index(line["variant_id"]) + 1) % len(packs)])


def _line(variant_id: str, quantity: int) -> Record:
    return {"variant_id": variant_id, "quantity": quantity, "type": "supplement"}


def _header(patient: Patient, plan_ids: list[str], rng: Random) -> Record:
    number = f"R{rng.randrange(10**9):09d}"
    return {"id": new_id(rng), "order_number": number, "patient_id": patient.id, "treatment_plan_ids": plan_ids}


def _complete(clinic: SandboxClinic, header: Record, lines: list[Record], at: datetime, rng: Random) -> Record:
    event_data = header | {
        "completed_at": at.astimezone(clinic.zone).isoformat(timespec="milliseconds"),
        "line_items": lines,
    }
    order = event_data | {"state": "complete"}
    clinic.orders[order["id"]] = order
    clinic.record_event(rng, "order.placed", at, event_data)
    return order
