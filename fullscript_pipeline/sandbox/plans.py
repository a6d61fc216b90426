"""Treatment plans: drafted, activated, changed, cancelled, re-issued, with exactly the documented events.

Drafting raises nothing, activation `treatment_plan.created`, cancelling `treatment_plan.updated`, a changed line
`treatment_plan.recommendation.updated`. What does not belong here: when it happens (`day_simulator`), and orders.
"""

from copy import deepcopy
from datetime import date, datetime, timedelta
from random import Random

from fullscript_pipeline.sandbox import word_lists as words
from fullscript_pipeline.sandbox.labs import recommend_labs
from fullscript_pipeline.sandbox.seeded_random import draw, new_id, utc_text
from fullscript_pipeline.sandbox.word_lists import Dose
from fullscript_pipeline.sandbox.world import Catalog, Patient, Plan, Record, SandboxClinic

LIQUIDS = frozenset({"mL", "g"})
# How long after activation each habit buys for the first time (days, inclusive).
FIRST_ORDER = {"regular": (1, 5), "gappy": (3, 14), "early": (0, 2)}
ROUTINE_DAYS = 30


def draft_plan(clinic: SandboxClinic, patient: Patient, at: datetime, rng: Random) -> Plan:
    """Writes a draft for a patient; there is no event."""
    lines, supply = recommend(clinic.catalog, rng)
    record: Record = {
        "id": new_id(rng),
        "state": "draft",
        "available_at": None,
        "created_at": utc_text(at),
        "updated_at": utc_text(at),
        "patient": {"id": patient.id},
        "practitioner": {"id": rng.choice(list(clinic.practitioners))},
        "personal_message": rng.choice(words.MESSAGES),
        "invitation_url": f"https://{clinic.slug}.example/i/{rng.getrandbits(64):016x}",
        "source": "app",
        "metadata": None,
        "recommendations": lines,
        "resources": _resources(rng),
    }
    if clinic.has_labs:
        record["lab_recommendations"] = recommend_labs(rng)
    return _file(clinic, Plan(record=record, supply_days=supply))


def reissue_plan(clinic: SandboxClinic, old: Plan, at: datetime, rng: Random) -> Plan:
    """A fresh draft with the lines of a cancelled plan, to be activated the next day."""
    record = deepcopy(old.record)
    record |= {"id": new_id(rng), "state": "draft", "available_at": None}
    record |= {"created_at": utc_text(at), "updated_at": utc_text(at)}
    return _file(clinic, Plan(record=record, supply_days=old.supply_days))


def activate_plan(clinic: SandboxClinic, plan: Plan, at: datetime, rng: Random, *, through_api: bool = False) -> None:
    """Sends a draft to its patient, who buys by their habit; through the API it makes no event."""
    local = at.astimezone(clinic.zone).date()
    plan.record |= {"state": "active", "available_at": str(local), "updated_at": utc_text(at)}
    plan.activate_on = None
    habit = clinic.patients[plan.patient_id].habit
    if habit in FIRST_ORDER:
        plan.next_order_on = local + timedelta(days=rng.randint(*FIRST_ORDER[habit]))
    if not through_api:
        clinic.record_event(rng, "treatment_plan.created", at, _event_data(plan))


def cancel_plan(clinic: SandboxClinic, plan: Plan, at: datetime, rng: Random) -> None:
    """Ends an active plan."""
    plan.record |= {"state": "cancelled", "updated_at": utc_text(at)}
    plan.next_order_on = None
    clinic.record_event(rng, "treatment_plan.updated", at, _event_data(plan))


def change_recommendation(
    clinic: SandboxClinic, plan: Plan, at: datetime, rng: Random, *, through_api: bool = False
) -> None:
    """Changes an active plan's line: another dose, another pack of the same product, a line more or a line less.

    Through the API it makes no event.
    """
    lines: list[Record] = plan.record["recommendations"]
    line = rng.choice(lines)
    kind = rng.random()
    if kind < 0.5 or line["variant_id"] not in clinic.catalog.variants:
        amount = line["dosage"]["amount"]
        line["dosage"] |= {"amount": "2" if amount == "1" else "1", "frequency": "once per day"}
    elif kind < 0.75:
        packs = [pack["id"] for pack in clinic.catalog.variants[line["variant_id"]][1]["variants"]]
        line["variant_id"] = packs[(packs.index(line["variant_id"]) + 1) % len(packs)]
    elif kind < 0.9 or len(lines) == 1:
        lines.append(_line(rng.choice(list(clinic.catalog.variants)), clinic.catalog, rng)[0])
    else:
        lines.remove(line)
    plan.record["updated_at"] = utc_text(at)
    if not through_api:
        clinic.record_event(rng, "treatment_plan.recommendation.updated", at, _event_data(plan, resources=False))


def next_order_after(plan: Plan, habit: str, day: date, rng: Random) -> date | None:
    """When a patient of that habit orders again after an order on `day`; gappy people sometimes stop."""
    if habit == "gappy" and rng.random() < 0.15:
        return None
    stretch = {"regular": (0.93, 1.03), "early": (0.6, 0.85)}.get(habit, (1.2, 2.2))
    return day + timedelta(days=max(round(plan.supply_days * rng.uniform(*stretch)), 5))


def _file(clinic: SandboxClinic, plan: Plan) -> Plan:
    clinic.plans[plan.id] = plan
    clinic.plans_of[plan.patient_id].append(plan)
    return plan


def recommend(catalog: Catalog, rng: Random) -> tuple[list[Record], int]:
    """Some lines of a plan, and for how many days one order of them lasts."""
    products = rng.sample(list(catalog.products.values()), rng.choice((1, 1, 2, 2, 3, 4)))
    chosen = [product["variants"][0 if rng.random() < 0.7 else 1]["id"] for product in products]
    if rng.random() < 0.08:
        # One product twice in a plan: a loading phase beside the usual dose.
        chosen.append(products[0]["variants"][rng.randrange(2)]["id"])
    lines = [_line(variant_id, catalog, rng) for variant_id in chosen]
    return [line for line, _ in lines], min(max(min(days for _, days in lines), 10), 120)


def _line(variant_id: str, catalog: Catalog, rng: Random) -> tuple[Record, int]:
    # A recommendation and for how many days its first purchase lasts.
    variant, product = catalog.variants[variant_id]
    form = str(product["dosage"]["format"])
    dose: Dose = draw(rng, words.LIQUID_DOSES if form in LIQUIDS else words.PIECE_DOSES)
    packs = rng.choice((1, 1, 1, 2))
    written = dose.amount is not None and rng.random() < 0.95
    line: Record = {
        "variant_id": variant_id,
        "refill": rng.random() < 0.8,
        "units_to_purchase": packs,
        "take_with": rng.choice(words.TAKE_WITH),
        "dosage": {
            "amount": dose.amount,
            "frequency": dose.frequency,
            "duration": dose.duration,
            "format": form if written else None,
            "additional_info": rng.choice(words.NOTES),
            "time_of_day": list(rng.choice(words.TIMES_OF_DAY)),
        },
    }
    bought = packs * (variant["units"] or 0)
    return line, round(bought / dose.per_day) if bought and dose.per_day else ROUTINE_DAYS


def _resources(rng: Random) -> list[Record]:
    if rng.random() > 0.1:
        return []
    what = {"name": "Sleep hygiene", "type": "Handout", "category": "Lifestyle", "attachment_url": None}
    return [{"id": new_id(rng)} | what]


def _event_data(plan: Plan, *, resources: bool = True) -> Record:
    # The documented sample says active "true" (a string), even on the event of a cancellation.
    keys = ["recommendations", *(["resources"] if resources else []), "lab_recommendations"]
    shown: Record = {"id": plan.id, "active": "true", "available_at": plan.record["available_at"]}
    return {"treatment_plan": shown | {key: plan.record[key] for key in keys if key in plan.record}}
