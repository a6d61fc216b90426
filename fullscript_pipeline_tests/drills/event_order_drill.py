"""Short histories of events in every order, and changes that no feed tells of.

What does not belong here: how many (`test_events`), refreshes that are killed or large (`refresh_drill`).
"""

import itertools
import random
import shutil
import time
from datetime import date
from pathlib import Path
from typing import Any

from fullscript_pipeline import clock, refresh
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.drills.promise_line import tell
from fullscript_pipeline_tests.drills.world_comparison import account
from fullscript_pipeline_tests.helpers.clinic_fixture import Living, living
from fullscript_pipeline_tests.helpers.table_hash import differing, table_hashes

# Events keep the ids that the copies got; everything else must be equal.
_OF_COPIES = ("core.events",)


def all_orders_end_alike(folder: Path, *, histories: int, length: int, most: int | None = None) -> None:
    """Every order of a history, each event one to six times, some handled on the way: one table hash (promise 7)."""
    chance, begun, runs, copies_sent = random.Random(7), time.monotonic(), 0, 0
    lost = duplicated = phantom = 0
    with living(folder, patients=10, products=10) as its:
        for number in range(histories):
            base = its.connected.settings.data_dir / f"base-{number}.duckdb"
            shutil.copy(its.warehouse.path, base)
            told = _history(its, number)[:length]
            first: Any = None
            for place, order in enumerate(itertools.islice(itertools.permutations(told), most)):
                its.warehouse = _copy(base, its, f"{number}-{place}")
                copies_sent += _deliver(its, order, place, chance)
                its.handle()
                end = table_hashes(its.warehouse, without=_OF_COPIES)
                first = first or end
                assert differing(first, end) == [], f"history {number}, order {place}"
                its_account = account(its)
                lost, duplicated = lost + its_account.lost, duplicated + its_account.duplicated
                phantom += its_account.phantom
                runs += 1
                its.warehouse.path.unlink()
            its.warehouse = _copy(base, its, "whole")
            its.pull_everything()
            whole = table_hashes(its.warehouse, without=_OF_COPIES)
            told_of = ("core.orders", "core.order_line_items", "core.treatment_plans", "core.recommendations")
            assert [one for one in differing(first, whole) if one in (*told_of, "core.patients")] == []
    tell(
        "promise 7",
        acked=copies_sent,
        stored=runs * length,
        lost=lost,
        duplicated=duplicated,
        phantom=phantom,
        orders=runs,
        seconds=time.monotonic() - begun,
    )
    assert (lost, duplicated, phantom) == (0, 0, 0)


def _history(its: Living, number: int) -> list[dict[str, Any]]:
    """Five things that happen, among them a cancelled plan that says it is active and an order that is gone again."""
    plans = its.active_plans()
    events = []
    its.order()
    events.append(list(its.world.events)[-1])
    events += [its.change_plan(plans[number], personal_message=f"history {number}")]
    events += [its.change_plan(plans[number], state="cancelled")]
    patient = its.rng.choice(list(its.world.patients.values())).record
    patient["mobile_number"] = f"+155500000{number:02d}"
    events += [its.tell("patient.updated", {"patient": patient})]
    gone = its.order()
    events.append(list(its.world.events)[-1])
    del its.world.orders[gone]
    return [its.payload(one) for one in events]


def _copy(base: Path, its: Living, name: str) -> Warehouse:
    path = its.connected.settings.data_dir / f"copy-{name}.duckdb"
    shutil.copy(base, path)
    return Warehouse(path)


def _deliver(its: Living, order: tuple[dict[str, Any], ...], place: int, chance: random.Random) -> int:
    sent = 0
    for event in order:
        for _ in range(chance.randint(1, 6) if chance.random() < 0.3 else 1):
            its.receive({**event, "id": f"{event['id']}-{place}"})
            sent += 1
        if chance.random() < 0.3:
            refresh.ingest_inbox(its.store)
            its.handle()
    refresh.ingest_inbox(its.store)
    return sent


def the_sweep_finds_what_no_feed_shows(folder: Path, *, days: int) -> None:
    """Edits through the API raise no event: the daily pulls find each within the sweep, and count them (promise 24)."""
    begun = time.monotonic()
    with living(folder, patients=28, products=10, pulled=False) as its:
        open_warehouse(load_settings())
        with open_instance(its.connected.settings) as instance:
            add_clinic_partitions(instance, its.store)
            assert _day(its, instance)
            plans = its.active_plans()[:6]
            for number, plan in enumerate(plans):
                plan.record["personal_message"] = f"edited through the API {number}"
                plan.record["updated_at"] = its.sandbox.moment.isoformat()
            order = min(its.world.orders.values(), key=lambda one: str(one["completed_at"]))
            order["line_items"] = [{**order["line_items"][0], "quantity": 77}]
            found_after = None
            for number in range(1, days + 1):
                its.connected.sandbox.control.advance(days=1)
                its.connected.set_clock()
                assert _day(its, instance)
                if _left(its, plans, str(order["id"])) == 0:
                    found_after = number
                    break
        its.warehouse = open_warehouse(load_settings())
        counted = its.rows("SELECT coalesce(sum(sweep_only_changes), 0) FROM ops.pulls")[0][0]
        left = _left(its, plans, str(order["id"]))
        tell(
            "promise 24",
            acked=len(plans) + 1,
            stored=len(plans) + 1 - left,
            lost=left,
            duplicated=0,
            phantom=0,
            days=found_after,
            sweep_only_changes=counted,
            seconds=time.monotonic() - begun,
        )
        assert left == 0
        assert found_after is not None
        assert found_after <= load_settings().sweep_days
        assert counted >= len(plans)


def _day(its: Living, instance: Any) -> bool:
    today: date = clock.today(its.connected.settings.time_zone)
    return run_job(instance, "clinic_daily", partition=clinic_partition(its.clinic.clinic_key, today)).succeeded


def _left(its: Living, plans: list[Any], order: str) -> int:
    its.warehouse = open_warehouse(load_settings())
    said = dict(its.stored("treatment_plans", ["treatment_plan_id", "personal_message"]))
    lines = its.stored("order_line_items", ["quantity"], f"order_id = '{order}' AND removed_at IS NULL")
    wrong = sum(
        "edited through the API" not in str(said.get(plan.id))
        for plan in plans
        if "edited through the API" in str(plan.record["personal_message"])
    )
    return wrong + (lines != [(77,)])
