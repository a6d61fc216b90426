"""Simulates a day of the world: the same function makes the history and the days ahead.

Each day draws from its own named seed, so a world is the same however many days are simulated at once. What does not
belong here: how a single thing happens (`catalog_simulator`, `plans`, `orders`, `labs`).
"""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from fullscript_pipeline.sandbox.catalog import make_catalog
from fullscript_pipeline.sandbox.catalog_simulator import CatalogDaySimulator
from fullscript_pipeline.sandbox.labs import open_labs, step_labs
from fullscript_pipeline.sandbox.library import stock_clinic, stock_region
from fullscript_pipeline.sandbox.orders import order_freely, order_plans, refund, refund_partly
from fullscript_pipeline.sandbox.people import activate_key, add_patient, clinic_words, make_clinic, make_patient
from fullscript_pipeline.sandbox.plans import (
    activate_plan,
    cancel_plan,
    change_recommendation,
    draft_plan,
    reissue_plan,
)
from fullscript_pipeline.sandbox.seeded_random import NOON, moment_in, rng_for
from fullscript_pipeline.sandbox.word_lists import REGIONS
from fullscript_pipeline.sandbox.world import Plan, Record, SandboxClinic, Tally, World

# Past the start day a clinic sees at least this many orders a day, however small it is.
LEAST_ORDERS = 3
# The share of patients who buy something without a plan on any day.
SELF_SERVE = 0.0025


def make_world(seed: int, start: date, *, clinics: int, patients: int, products: int, history_days: int) -> World:
    """A world with `history_days` days behind it, as of noon UTC of `start`."""
    born = start - timedelta(days=history_days)
    called = clinic_words(clinics)
    catalogs = {region: make_catalog(seed, region, products) for region in dict.fromkeys(REGIONS.values())}
    clinic_list = [
        make_clinic(seed, words, catalogs[REGIONS[words.server]], patients, born=born, start=start) for words in called
    ]
    for catalog in catalogs.values():
        stock_region(catalog, seed)
    for clinic in clinic_list:
        stock_clinic(clinic, seed)
        activate_key(clinic, born)
    world = World(
        seed=seed, start=start, day=born, catalogs=catalogs, clinics={clinic.slug: clinic for clinic in clinic_list}
    )
    simulate_until(world, start)
    return world


def simulate_until(world: World, day: date) -> dict[str, Tally]:
    """Simulates every day up to `day`; returns what happened, by clinic slug and by region."""
    tallies: dict[str, Tally] = {name: Counter() for name in (*world.clinics, *world.catalogs)}
    while world.day < day:
        world.day += timedelta(days=1)
        for region, catalog in world.catalogs.items():
            theirs = [clinic for clinic in world.clinics.values() if clinic.catalog is catalog]
            CatalogDaySimulator(
                seed=world.seed, catalog=catalog, clinics=theirs, day=world.day, tally=tallies[region]
            ).simulate(world.age(world.day))
        for number, clinic in enumerate(world.clinics.values()):
            ClinicDaySimulator(world, clinic, number, tallies[clinic.slug]).simulate()
    return tallies


class ClinicDaySimulator:
    """One clinic on the world's day."""

    def __init__(self, world: World, clinic: SandboxClinic, number: int, tally: Tally) -> None:
        self.clinic, self.number, self.tally = clinic, number, tally
        self.day, self.age = world.day, world.age(world.day)
        self.rng = rng_for(world.seed, "day", clinic.slug, self.day)
        self.active = [patient for patient in clinic.patients.values() if not patient.record["archived"]]
        self.first_new_order = len(clinic.orders)

    def simulate(self) -> None:
        """Simulates the day, then puts the day's orders and events in the order of their times."""
        self.change_patients()
        self.write_due_plans()
        self.change_plans()
        self.place_orders()
        step_labs(self.clinic, self.day, at=self.random_moment(), rng=self.rng, tally=self.tally)
        self.refund_orders()
        self.change_through_api()
        everything = list(self.clinic.orders.values())
        new = everything[self.first_new_order :]
        new.sort(key=lambda order: datetime.fromisoformat(order["completed_at"]))
        self.clinic.orders = {order["id"]: order for order in everything[: self.first_new_order] + new}
        self.tally["orders"] += len(new)
        self.clinic.sort_events(datetime.combine(self.day, NOON))

    def random_moment(self) -> datetime:
        """A moment of this day in office hours."""
        return moment_in(self.day, self.rng)

    def moment_after(self, plan: Plan) -> datetime:
        """A moment of this day in office hours, after everything that has happened to a plan so far."""
        return max(self.random_moment(), datetime.fromisoformat(plan.record["updated_at"]) + timedelta(minutes=5))

    def happens_today(self, per_day_of_600: float) -> bool:
        """True about `per_day_of_600` times a day in a clinic of 600 patients, and in proportion elsewhere."""
        return self.rng.random() < per_day_of_600 * len(self.active) / 600

    def change_patients(self) -> None:
        """New patients, changed ones, archived ones (no event) and emancipated dependents."""
        clinic, rng = self.clinic, self.rng
        if self.happens_today(1) or (self.age > 0 and (self.age + self.number) % 3 == 0):
            patient = make_patient(clinic, rng, len(clinic.patients))
            patient.record["archived"] = False
            patient.first_plan_on = self.day + timedelta(days=rng.randint(1, 6))
            add_patient(clinic, patient)
            self._record_patient_event("patient.created", patient.record)
        if self.active and (self.happens_today(1) or (self.age > 0 and (self.age + self.number) % 3 == 1)):
            record = rng.choice(self.active).record
            record["mobile_number"] = f"+1555{rng.randrange(10**7):07d}"
            self._record_patient_event("patient.updated", record)
        if len(self.active) > 3 and self.happens_today(0.3):
            rng.choice(self.active).record["archived"] = True
            self.tally["patients_archived"] += 1
        dependents = [patient.record for patient in self.active if patient.record["is_dependent"]]
        if dependents and (self.happens_today(0.1) or (self.age > 0 and (self.age + self.number) % 10 == 0)):
            record = rng.choice(dependents)
            record |= {"is_dependent": False, "guardian_patient_id": None}
            clinic.patients[record["id"]].account_holder_id = None
            self._record_patient_event("patient.emancipated", record)

    def write_due_plans(self) -> None:
        """Writes the first plans that are due: most are sent at once, some wait, a few stay drafts."""
        for patient in self.active:
            if patient.first_plan_on == self.day:
                plan = self._draft(draft_plan(self.clinic, patient, self.random_moment(), self.rng))
                fate = self.rng.random()
                if fate < 0.88:
                    self._activate(plan)
                elif fate < 0.95:
                    plan.activate_on = self.day + timedelta(days=self.rng.randint(1, 4))
        if self.active and self.happens_today(2):
            # A further plan for somebody, perhaps beside one they have; every third stays a draft.
            plan = self._draft(draft_plan(self.clinic, self.rng.choice(self.active), self.random_moment(), self.rng))
            plan.activate_on = self.rng.choice((None, self.day + timedelta(days=1), self.day + timedelta(days=3)))

    def change_plans(self) -> None:
        """Sends due drafts. After the start day, also activates, cancels or changes a plan each day, in turn."""
        for plan in [plan for plan in self.clinic.plans.values() if plan.activate_on == self.day]:
            self._activate(plan)
        turn = (self.age + self.number) % 3 if self.age > 0 else None
        sent = [plan for plan in self.clinic.plans.values() if plan.is_active]
        if turn == 0 or self.happens_today(0.6) or not sent:
            self._activate(self._draft_to_activate())
        if sent and (turn == 1 or self.happens_today(0.6)):
            self._cancel(self.rng.choice(sent))
        still = [plan for plan in sent if plan.is_active]
        if still and (turn == 2 or self.happens_today(0.6)):
            plan = self.rng.choice(still)
            change_recommendation(self.clinic, plan, self.moment_after(plan), self.rng)
            self.tally["recommendations_changed"] += 1

    def place_orders(self) -> None:
        """Plan orders that are due, some for two plans at once, and self-serve orders."""
        for patient in self.active:
            plans = [plan for plan in self.clinic.plans_of[patient.id] if plan.is_active]
            due = [plan for plan in plans if plan.next_order_on and plan.next_order_on <= self.day]
            if due:
                order_plans(
                    self.clinic, patient, plans=plans if self.rng.random() < 0.3 else due, day=self.day, rng=self.rng
                )
            if self.rng.random() < SELF_SERVE:
                order_freely(self.clinic, patient, self.day, self.rng)
        for plan in self._plans_by_next_order() if self.age > 0 else ():
            if len(self.clinic.orders) - self.first_new_order >= LEAST_ORDERS:
                break
            order_plans(self.clinic, self.clinic.patients[plan.patient_id], plans=[plan], day=self.day, rng=self.rng)
        while self.age > 0 and self.active and len(self.clinic.orders) - self.first_new_order < LEAST_ORDERS:
            order_freely(self.clinic, self.rng.choice(self.active), self.day, self.rng)

    def refund_orders(self) -> None:
        """Now and then refunds one of the latest hundred orders, or a part of one."""
        latest = list(self.clinic.orders.values())[max(self.first_new_order - 100, 0) : self.first_new_order]
        complete = [order for order in latest if order["state"] == "complete"]
        if complete and (self.happens_today(0.2) or (self.age > 0 and self.age % 5 == 3)):
            refund(self.rng.choice(complete))
            self.tally["orders_refunded"] += 1
        divisible = [order for order in complete if order["state"] == "complete" and _pieces(order) > 1]
        if divisible and (self.happens_today(0.1) or (self.age > 0 and self.age % 7 == 4)):
            refund_partly(self.rng.choice(divisible))
            self.tally["orders_partly_refunded"] += 1

    def change_through_api(self) -> None:
        """Changes that the integration makes itself: there is no event, as documented."""
        turn = (self.age + self.number) % 6 if self.age > 0 else None
        if self.active and turn == 2:
            record = self.rng.choice(self.active).record
            record["text_message_notification"] = not record["text_message_notification"]
            record["metadata"] = {"id": f"EMR-{self.rng.randrange(10**6):06d}"}
            self._record_silent_change(record["id"])
        if self.active and turn == 4:
            plan = self._draft(draft_plan(self.clinic, self.rng.choice(self.active), self.random_moment(), self.rng))
            plan.record |= {"source": "api", "metadata": {"id": f"PLAN-{self.rng.randrange(10**6):06d}"}}
            activate_plan(self.clinic, plan, self.moment_after(plan), self.rng, through_api=True)
            self._record_silent_change(plan.id)
        sent = [plan for plan in self.clinic.plans.values() if plan.is_active]
        if sent and turn == 0:
            plan = self.rng.choice(sent)
            change_recommendation(self.clinic, plan, self.moment_after(plan), self.rng, through_api=True)
            self._record_silent_change(plan.id)

    def _record_silent_change(self, key: str) -> None:
        self.clinic.through_api[key] = self.day
        self.tally["changes_through_the_api"] += 1

    def _plans_by_next_order(self) -> Iterator[Plan]:
        waiting = [plan for plan in self.clinic.plans.values() if plan.is_active and plan.next_order_on]
        return iter(sorted(waiting, key=lambda plan: (plan.next_order_on or self.day, plan.id)))

    def _draft_to_activate(self) -> Plan:
        drafts = [plan for plan in self.clinic.plans.values() if plan.record["state"] == "draft"]
        if drafts:
            return self.rng.choice(drafts)
        return self._draft(draft_plan(self.clinic, self.rng.choice(self.active), self.random_moment(), self.rng))

    def _draft(self, plan: Plan) -> Plan:
        self.tally["plans_drafted"] += 1
        return plan

    def _activate(self, plan: Plan) -> None:
        activate_plan(self.clinic, plan, self.moment_after(plan), self.rng)
        open_labs(self.clinic, plan, self.rng)
        self.tally["plans_activated"] += 1

    def _cancel(self, plan: Plan) -> None:
        at = self.moment_after(plan)
        cancel_plan(self.clinic, plan, at, self.rng)
        self.tally["plans_cancelled"] += 1
        if self.rng.random() < 0.4:
            again = self._draft(reissue_plan(self.clinic, plan, at + timedelta(hours=1), self.rng))
            again.activate_on = self.day + timedelta(days=1)

    def _record_patient_event(self, kind: str, record: dict[str, object]) -> None:
        keys = ["id", "first_name", "last_name", "email", "date_of_birth", "gender", "discount", "total_discount"]
        keys += ["mobile_number", "text_message_notification"]
        if kind == "patient.emancipated":
            keys += ["is_dependent", "guardian_patient_id"]
        self.clinic.record_event(self.rng, kind, self.random_moment(), {"patient": {key: record[key] for key in keys}})
        self.tally[f"patients_{kind.removeprefix('patient.')}"] += 1


def _pieces(order: Record) -> int:
    return sum(int(line["quantity"]) for line in order["line_items"])
