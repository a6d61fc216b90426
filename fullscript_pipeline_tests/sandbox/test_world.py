"""The world: made again exactly from its seed, varied enough to be worth pulling, and honest about its events."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.sandbox.day_simulator import make_world, simulate_until
from fullscript_pipeline.sandbox.labs import EVENT_STATUS
from fullscript_pipeline.sandbox.world import Record, SandboxClinic, World

START = date(2026, 11, 22)
PATIENT_NEWS = frozenset({"patient.updated", "patient.emancipated"})
PRODUCT_NEWS = {"product.updated": ("name", "dosage", "variants"), "product.description.updated": ("description_html",)}
few = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def small_world(seed: int = 1, **sizes: Any) -> World:
    return make_world(seed, START, **({"clinics": 3, "patients": 12, "products": 20, "history_days": 20} | sizes))


def everything(world: World) -> Record:
    return {
        "catalogs": {name: (its.products, its.vocabularies) for name, its in world.catalogs.items()},
        "clinics": {
            slug: (
                its.info,
                its.orders,
                {key: plan.record for key, plan in its.plans.items()},
                {key: patient.record for key, patient in its.patients.items()},
                {key: (lab.row, lab.results) for key, lab in its.labs.items()},
                {key: (event.row, event.data) for key, event in its.events.items()},
            )
            for slug, its in world.clinics.items()
        },
    }


@few
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_days_lived_one_by_one_or_at_once_make_the_same_world(seed: int, cuts: list[int]) -> None:
    stepwise, at_once = small_world(seed), small_world(seed)
    for days in cuts:
        simulate_until(stepwise, stepwise.day + timedelta(days=days))
    simulate_until(at_once, START + timedelta(days=sum(cuts)))
    assert everything(stepwise) == everything(at_once)


@few
@given(seed=st.integers(0, 10**6), patients=st.integers(5, 40))
def test_two_days_ahead_bring_what_a_demo_needs(seed: int, patients: int) -> None:
    world = small_world(seed, patients=patients)
    before = {region: deepcopy(catalog.products) for region, catalog in world.catalogs.items()}
    tallies = simulate_until(world, START + timedelta(days=2))
    for slug, clinic in world.clinics.items():
        assert tallies[slug]["orders"] >= 5, slug
        assert len({order["id"] for order in clinic.orders.values()}) == len(clinic.orders)
    assert sum(tallies[slug]["plans_cancelled"] for slug in world.clinics) >= 1
    assert sum(tallies[slug]["plans_activated"] for slug in world.clinics) >= 1
    assert sum(tallies[slug]["recommendations_changed"] for slug in world.clinics) >= 1
    for region, catalog in world.catalogs.items():
        assert catalog.products.keys() - before[region].keys(), "a product is added"
        assert before[region].keys() - catalog.products.keys(), "a product is removed"
        assert tallies[region]["prices_moved"] >= 1
        assert tallies[region]["availability_flipped"] >= 1


@settings(few, max_examples=5)
@given(seed=st.integers(0, 10**6), days=st.integers(1, 5))
def test_every_change_makes_its_documented_events_and_no_other(seed: int, days: int) -> None:
    world = small_world(seed, history_days=8)
    for _ in range(days):
        before = deepcopy(world)
        simulate_until(world, world.day + timedelta(days=1))
        for slug, clinic in world.clinics.items():
            old = before.clinics[slug]
            new = [event for key, event in clinic.events.items() if key not in old.events]
            told = Counter(event.type for event in new)
            assert told["order.placed"] == len(clinic.orders) - len(old.orders)
            assert told["patient.created"] == len(clinic.patients) - len(old.patients)
            assert told["treatment_plan.created"] == _state_changes(old, clinic, "active")
            assert told["treatment_plan.updated"] == _state_changes(old, clinic, "cancelled")
            assert told["lab_order.updated"] == _lab_news(old, clinic)
            back = {its.product["id"] for its in old.catalog.removed}
            added = clinic.catalog.products.keys() - old.catalog.products.keys() - back
            assert told["product.created"] == len(added), "a product that comes back is not created"
            quiet = {key for key, day in clinic.through_api.items() if day == world.day}
            people = {event.data["patient"]["id"] for event in new if event.type in PATIENT_NEWS}
            assert people - quiet == _changed_people(old, clinic) - quiet
            for kind, fields in PRODUCT_NEWS.items():
                packs = {event.data["product"]["variants"][0]["id"] for event in new if event.type == kind}
                assert packs >= _changed_products(old, clinic, fields)
                assert packs <= _changed_products(old, clinic, fields) | _came_or_went(old, clinic)
            lines = _changed_lines(old, clinic)
            changed = [e.data["treatment_plan"]["id"] for e in new if e.type == "treatment_plan.recommendation.updated"]
            assert set(changed) >= lines - quiet
            assert all(event.clinic_id == (None if event.type == "product.created" else clinic.id) for event in new)


def _state_changes(old: SandboxClinic, new: SandboxClinic, state: str) -> int:
    # A plan can be sent and cancelled within one day: it was then sent, too.
    # Plans that the integration itself sends raise nothing; cancelling them in the app does.
    passed = {"active": {"active", "cancelled"}, "cancelled": {"cancelled"}}[state]

    def reached(clinic: SandboxClinic, key: str) -> bool:
        return key in clinic.plans and clinic.plans[key].record["state"] in passed

    plans = [key for key, its in new.plans.items() if state == "cancelled" or its.record["source"] == "app"]
    return sum(reached(new, key) and not reached(old, key) for key in plans)


def _lab_news(old: SandboxClinic, new: SandboxClinic) -> int:
    return sum(
        lab.row["state"] in EVENT_STATUS and (key not in old.labs or old.labs[key].row["state"] != lab.row["state"])
        for key, lab in new.labs.items()
    )


def _changed_people(old: SandboxClinic, new: SandboxClinic) -> set[str]:
    # Archiving somebody is not in the documented list of what raises patient.updated.
    def shown(clinic: SandboxClinic, key: str) -> Record:
        return clinic.patients[key].record | {"archived": None}

    return {key for key in old.patients if shown(old, key) != shown(new, key)}


def _changed_products(old: SandboxClinic, new: SandboxClinic, fields: Sequence[str]) -> set[str]:
    was, has = old.catalog.products, new.catalog.products
    changed = [key for key in was.keys() & has.keys() if any(was[key][name] != has[key][name] for name in fields)]
    return {has[key]["variants"][0]["id"] for key in changed}


def _came_or_went(old: SandboxClinic, new: SandboxClinic) -> set[str]:
    # What is changed in the morning may be removed in the evening, and a newcomer may be changed at once.
    was, has = old.catalog.products, new.catalog.products
    return {(was | has)[key]["variants"][0]["id"] for key in was.keys() ^ has.keys()}


def _changed_lines(old: SandboxClinic, new: SandboxClinic) -> set[str]:
    return {
        key
        for key, plan in new.plans.items()
        if key in old.plans and plan.record["recommendations"] != old.plans[key].record["recommendations"]
    }


@pytest.fixture(scope="module")
def default_world() -> World:
    began = time.process_time()
    world = make_world(1, START, clinics=3, patients=200, products=320, history_days=60)
    assert time.process_time() - began < 2, "a restart makes the world again: it must not be felt"
    return world


def test_no_id_appears_in_two_clinics(default_world: World) -> None:
    seen: Counter[str] = Counter()
    for clinic in default_world.clinics.values():
        own = [clinic.id, *clinic.patients, *clinic.plans, *clinic.orders, *clinic.labs, *clinic.events]
        seen.update([*own, *clinic.practitioners, *clinic.staff, *clinic.categories])
    for catalog in default_world.catalogs.values():
        seen.update(
            [*catalog.products, *catalog.variants, *(key for rows in catalog.vocabularies.values() for key in rows)]
        )
    assert set(seen.values()) == {1}


def test_nothing_is_dated_after_the_clock_and_history_is_as_long_as_asked(default_world: World) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for clinic in default_world.clinics.values():
        dated = [datetime.fromisoformat(order["completed_at"]) for order in clinic.orders.values()]
        assert dated == sorted(dated)
        assert timedelta(days=50) < noon - dated[0] <= timedelta(days=60)
        assert dated[-1] <= noon
        assert all(noon - timedelta(days=30) <= event.at <= noon for event in clinic.events.values())
        for plan in clinic.plans.values():
            assert plan.record["created_at"] <= plan.record["updated_at"] <= "2026-11-22T12:00:00.000Z"


def test_patients_plans_and_orders_are_as_varied_as_real_ones(default_world: World) -> None:
    for clinic in default_world.clinics.values():
        people = [patient.record for patient in clinic.patients.values()]
        assert len(people) >= 200
        assert clinic.info["patient_count"] == len(people)
        assert {"regular", "gappy", "early", "never"} == {patient.habit for patient in clinic.patients.values()}
        assert any(row["archived"] for row in people)
        assert {row["guardian_patient_id"] for row in people if row["is_dependent"]} <= set(clinic.patients)
        assert any("'" in row["last_name"] for row in people)
        assert any(not row["last_name"].isascii() for row in people)
        assert not any("created_at" in row for row in people)
        plans = [plan.record for plan in clinic.plans.values()]
        assert {"draft", "active", "cancelled"} == {plan["state"] for plan in plans}
        assert all((plan["available_at"] is None) == (plan["state"] == "draft") for plan in plans)
        doses = {
            (line["dosage"]["amount"], line["dosage"]["frequency"]) for p in plans for line in p["recommendations"]
        }
        assert {("1", "once per day"), ("1-2", "once per day"), ("1", "as needed"), (None, None), ("", "")} <= doses
        assert any(_repeats_a_product(clinic, plan) for plan in plans)
        orders = list(clinic.orders.values())
        assert any(not order["treatment_plan_ids"] for order in orders)
        assert any(len(order["treatment_plan_ids"]) > 1 for order in orders)
        assert any(order["state"] == "refunded" for order in orders)
        assert any(_next_day_in_utc(order) for order in orders)
        assert {re.sub(r".*([+-]\d\d:\d\d)", r"\1", order["completed_at"]) for order in orders} <= {
            "-05:00",
            "-04:00",
            "-08:00",
            "-07:00",
        }


def _repeats_a_product(clinic: SandboxClinic, plan: Record) -> bool:
    known = [line["variant_id"] for line in plan["recommendations"] if line["variant_id"] in clinic.catalog.variants]
    products = [clinic.catalog.variants[key][1]["id"] for key in known]
    return len(products) > len(set(products))


def _next_day_in_utc(order: Record) -> bool:
    moment = datetime.fromisoformat(order["completed_at"])
    return moment.astimezone(UTC).date() > moment.date()


def test_labs_walk_through_their_states_in_the_united_states_only(default_world: World) -> None:
    world = deepcopy(default_world)
    seen: set[str] = set()
    for _ in range(40):
        simulate_until(world, world.day + timedelta(days=1))
        seen |= {lab.row["state"] for clinic in world.clinics.values() for lab in clinic.labs.values()}
    assert seen >= {"not_purchased", "purchased", "schedule_appointment", "upcoming_appointment", "processing"}
    assert seen >= {*EVENT_STATUS, "interpretation_ready", "interpretation_shared"}
    assert not world.clinics["cedre-rouge"].labs
    assert all("lab_recommendations" not in plan.record for plan in world.clinics["cedre-rouge"].plans.values())
    bought = [line for order in world.clinics["maple-street"].orders.values() for line in order["line_items"]]
    assert any(line["type"] == "labs" and line["lab_type"] for line in bought)


def test_the_weeks_bring_everything_that_can_happen() -> None:
    world = small_world(patients=40, history_days=30)
    before = deepcopy(world)
    tallies = simulate_until(world, START + timedelta(days=30))
    happened = set(sum(tallies.values(), Counter[str]()))
    assert happened >= {
        *("patients_created", "patients_updated", "patients_emancipated", "patients_archived"),
        *("plans_drafted", "plans_activated", "plans_cancelled", "recommendations_changed"),
        *("orders", "orders_refunded", "orders_partly_refunded", "lab_orders_moved", "changes_through_the_api"),
        *("products_added", "products_removed", "products_returned", "products_renamed", "brands_renamed"),
        *("prices_moved", "availability_flipped", "descriptions_edited", "label_dosages_edited"),
        *("variants_added", "variants_resized"),
    }
    for slug, clinic in world.clinics.items():
        old = before.clinics[slug]
        quiet = [clinic.plans[key].record for key in clinic.through_api if key in clinic.plans]
        assert any(plan["source"] == "api" and plan["id"] not in old.plans for plan in quiet)
        told = {event.data.get("treatment_plan", {}).get("id") for event in clinic.events.values()}
        assert any(plan["id"] not in told for plan in quiet), "what only a sweep can find"
        smaller = [key for key in old.orders if _quantity(clinic.orders[key]) < _quantity(old.orders[key])]
        assert all(clinic.orders[key]["line_items"] for key in smaller)


def _quantity(order: Record) -> int:
    return sum(line["quantity"] for line in order["line_items"])


def test_catalogs_have_packs_prices_and_gaps(default_world: World) -> None:
    for catalog in default_world.catalogs.values():
        products = list(catalog.products.values())
        assert len(products) >= 300
        assert min(len(product["variants"]) for product in products) >= 2
        variants = [variant for product in products for variant in product["variants"]]
        assert all(re.fullmatch(r"\d+\.\d\d", variant["msrp"]) for variant in variants)
        assert {"capsule", "softgel", "mL", "g", None} <= {variant["unit_of_measure"] for variant in variants}
        uncategorised = [key for key, topic in catalog.topics.items() if not topic]
        assert 0 < len(uncategorised) < len(products) / 10
