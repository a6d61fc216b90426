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
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.world_comparison import account
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.table_hash import differing_tables, table_hashes

# Events keep the ids that the copies got; everything else must be equal.
_OF_COPIES = ("core.events",)


def all_orders_end_alike(folder: Path, *, histories: int, length: int, most: int | None = None) -> None:
    """Every order of a history, each event one to six times, some handled on the way: one table hash (promise 7)."""
    chance, begun, runs, copies_sent = random.Random(7), time.monotonic(), 0, 0
    lost = duplicated = phantom = 0
    with open_live_clinic(folder, patients=10, products=10) as live_clinic:
        for number in range(histories):
            base = live_clinic.connected.settings.data_dir / f"base-{number}.duckdb"
            detach_all()
            shutil.copy(live_clinic.warehouse.path, base)
            payloads = _history(live_clinic, number)[:length]
            first: Any = None
            for place, order in enumerate(itertools.islice(itertools.permutations(payloads), most)):
                live_clinic.warehouse = _copy(base, live_clinic, f"{number}-{place}")
                copies_sent += _deliver(live_clinic, order, place, chance)
                live_clinic.handle()
                end = table_hashes(live_clinic.warehouse, without=_OF_COPIES)
                first = first or end
                assert differing_tables(first, end) == [], f"history {number}, order {place}"
                clinic_account = account(live_clinic)
                lost, duplicated = lost + clinic_account.lost, duplicated + clinic_account.duplicated
                phantom += clinic_account.phantom
                runs += 1
                live_clinic.warehouse.path.unlink()
            live_clinic.warehouse = _copy(base, live_clinic, "whole")
            live_clinic.pull_everything()
            full_hashes = table_hashes(live_clinic.warehouse, without=_OF_COPIES)
            told_of = ("core.orders", "core.order_line_items", "core.treatment_plans", "core.recommendations")
            assert [one for one in differing_tables(first, full_hashes) if one in (*told_of, "core.patients")] == []
    report_promise(
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


def _history(live_clinic: LiveClinic, number: int) -> list[dict[str, Any]]:
    """Five things that happen, among them a cancelled plan that says it is active and an order that is gone again."""
    plans = live_clinic.active_plans()
    events = []
    live_clinic.order()
    events.append(list(live_clinic.world.events)[-1])
    events += [live_clinic.change_plan(plans[number], personal_message=f"history {number}")]
    events += [live_clinic.change_plan(plans[number], state="cancelled")]
    patient = live_clinic.rng.choice(list(live_clinic.world.patients.values())).record
    patient["mobile_number"] = f"+155500000{number:02d}"
    events += [live_clinic.record_event("patient.updated", {"patient": patient})]
    gone = live_clinic.order()
    events.append(list(live_clinic.world.events)[-1])
    del live_clinic.world.orders[gone]
    return [live_clinic.payload(event_id) for event_id in events]


def _copy(base: Path, live_clinic: LiveClinic, name: str) -> Warehouse:
    path = live_clinic.connected.settings.data_dir / f"copy-{name}.duckdb"
    shutil.copy(base, path)
    return Warehouse(path)


def _deliver(live_clinic: LiveClinic, order: tuple[dict[str, Any], ...], place: int, chance: random.Random) -> int:
    sent = 0
    for event in order:
        for _ in range(chance.randint(1, 6) if chance.random() < 0.3 else 1):
            live_clinic.receive({**event, "id": f"{event['id']}-{place}"})
            sent += 1
        if chance.random() < 0.3:
            refresh.ingest_inbox(live_clinic.store)
            live_clinic.handle()
    refresh.ingest_inbox(live_clinic.store)
    return sent


def the_sweep_finds_what_no_feed_shows(folder: Path, *, days: int) -> None:
    """Edits through the API raise no event: the daily pulls find each within the sweep, and count them (promise 24)."""
    begun = time.monotonic()
    with open_live_clinic(folder, patients=28, products=10, pulled=False) as live_clinic:
        open_warehouse(load_settings())
        with open_instance(live_clinic.connected.settings) as instance:
            add_clinic_partitions(instance, live_clinic.store)
            assert _day(live_clinic, instance)
            plans = live_clinic.active_plans()[:6]
            for number, plan in enumerate(plans):
                plan.record["personal_message"] = f"edited through the API {number}"
                plan.record["updated_at"] = live_clinic.sandbox.moment.isoformat()
            order = min(live_clinic.world.orders.values(), key=lambda one: str(one["completed_at"]))
            order["line_items"] = [{**order["line_items"][0], "quantity": 77}]
            found_after = None
            for number in range(1, days + 1):
                live_clinic.connected.sandbox.control.advance(days=1)
                live_clinic.connected.set_clock()
                assert _day(live_clinic, instance)
                if _left(live_clinic, plans, str(order["id"])) == 0:
                    found_after = number
                    break
        live_clinic.warehouse = open_warehouse(load_settings())
        counted = live_clinic.rows("SELECT coalesce(sum(sweep_only_changes), 0) FROM ops.pulls")[0][0]
        left = _left(live_clinic, plans, str(order["id"]))
        report_promise(
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


def _day(live_clinic: LiveClinic, instance: Any) -> bool:
    today: date = clock.today(live_clinic.connected.settings.time_zone)
    return run_job(instance, "clinic_daily", partition=clinic_partition(live_clinic.clinic.clinic_key, today)).succeeded


def _left(live_clinic: LiveClinic, plans: list[Any], order: str) -> int:
    live_clinic.warehouse = open_warehouse(load_settings())
    said = dict(live_clinic.stored("treatment_plans", ["treatment_plan_id", "personal_message"]))
    lines = live_clinic.stored("order_line_items", ["quantity"], f"order_id = '{order}' AND removed_at IS NULL")
    wrong = sum(
        "edited through the API" not in str(said.get(plan.id))
        for plan in plans
        if "edited through the API" in str(plan.record["personal_message"])
    )
    return wrong + (lines != [(77,)])
