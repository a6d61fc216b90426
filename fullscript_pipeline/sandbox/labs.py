"""Labs (United States only): recommended with a plan, bought with an order, then walked through their states.

Only results raise an event (`lab_order.updated`), in the webhook's words for the state. What does not belong here:
orders themselves (`orders`).
"""

from datetime import date, datetime, timedelta
from random import Random

from fullscript_pipeline.sandbox import word_lists as words
from fullscript_pipeline.sandbox.seeded_random import new_id
from fullscript_pipeline.sandbox.world import Lab, Plan, Record, SandboxClinic, Tally

# REST state -> the event's word for it (vendor: "Lab order updated").
EVENT_STATUS = {
    "partial_results": "results_received",
    "results_ready": "all_results_received",
    "results_amended": "results_amended",
}
PATH = (
    "purchased",
    "schedule_appointment",
    "upcoming_appointment",
    "processing",
    "partial_results",
    "results_ready",
    "interpretation_ready",
    "interpretation_shared",
)
APPOINTMENT = frozenset({"schedule_appointment", "upcoming_appointment"})


def recommend_labs(rng: Random) -> list[Record]:
    """A plan's lab recommendations: mostly none, now and then one."""
    if rng.random() > 0.12:
        return []
    panel = rng.choice(words.LAB_PANELS)
    return [
        {
            "id": new_id(rng),
            "name": panel.name,
            "requires_fasting": panel.fasting,
            "instructions": "Nothing but water for ten hours." if panel.fasting else "",
            "tests": [{"id": new_id(rng), "name": test} for test in panel.tests],
        }
    ]


def open_labs(clinic: SandboxClinic, plan: Plan, rng: Random) -> None:
    """Lists the labs of a plan that has just been activated as not purchased yet."""
    who = clinic.patients[plan.patient_id].record
    for panel in plan.record.get("lab_recommendations", []):
        row: Record = {
            "id": new_id(rng),
            "name": panel["name"],
            "state": "not_purchased",
            "practitioner_id": plan.record["practitioner"]["id"],
            "patient_id": plan.patient_id,
            "treatment_plan_id": plan.id,
            "first_name": who["first_name"],
            "last_name": who["last_name"],
            "email": who["email"],
        }
        clinic.labs[row["id"]] = Lab(row=row, tests=list(panel["tests"]), needs_appointment=rng.random() < 0.6)


def buy_labs(clinic: SandboxClinic, plan: Plan, day: date, rng: Random) -> list[Record]:
    """Buys a plan's open labs; returns the order lines. Their variants are in no catalog: a lookup answers 404."""
    lines: list[Record] = []
    for lab in clinic.labs.values():
        if lab.row["treatment_plan_id"] == plan.id and lab.row["state"] == "not_purchased":
            lab.row["state"] = "purchased"
            lab.next_step_on = day + timedelta(days=rng.randint(1, 3))
            lines.append({"variant_id": new_id(rng), "quantity": 1, "type": "labs", "lab_type": "lab_panel"})
    return lines


def step_labs(clinic: SandboxClinic, day: date, at: datetime, rng: Random, tally: Tally) -> None:
    """Moves every lab that is due one state further."""
    for lab in clinic.labs.values():
        if lab.next_step_on is None or lab.next_step_on > day:
            continue
        state = _following(lab, rng)
        lab.row["state"] = state
        lab.next_step_on = None if state == PATH[-1] else day + timedelta(days=rng.randint(1, 4))
        tally["lab_orders_moved"] += 1
        _add_results(lab, rng)
        if state in EVENT_STATUS:
            keys = ("id", "practitioner_id", "patient_id", "first_name", "last_name", "email")
            shown: Record = {key: lab.row[key] for key in keys}
            clinic.record_event(rng, "lab_order.updated", at, {"lab_order": shown | {"status": EVENT_STATUS[state]}})


def _following(lab: Lab, rng: Random) -> str:
    state = str(lab.row["state"])
    if state == "results_ready" and rng.random() < 0.2:
        return "results_amended"
    after = list(PATH[PATH.index("results_ready" if state == "results_amended" else state) + 1 :])
    skipped = set() if lab.needs_appointment else set(APPOINTMENT)
    if len(lab.tests) == 1:
        skipped.add("partial_results")
    return next(step for step in after if step not in skipped)


def _add_results(lab: Lab, rng: Random) -> None:
    # Results need not match tests one to one: a provider may put several tests into one document.
    state = lab.row["state"]
    count = {"partial_results": 1, "results_ready": max(len(lab.tests) - 1, 1)}.get(str(state), 0)
    while len(lab.results) < count:
        number = new_id(rng)
        url = f"https://labs.example/results/{number}.pdf?signature={rng.getrandbits(64):016x}"
        lab.results.append({"id": number, "name": lab.row["name"], "state": "final", "pdf_url": url})
    if state == "results_amended":
        lab.results[-1]["state"] = "amended"
