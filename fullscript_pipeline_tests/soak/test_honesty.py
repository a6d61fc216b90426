"""Promises 10, 25 and 28 with their full numbers: poison records, shapes nobody described, killed upgrades."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.quarantine_replay import replay
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.broken_records import BROKEN
from fullscript_pipeline_tests.helpers.mutated_records import lost, mutated
from fullscript_pipeline_tests.helpers.released_warehouses import (
    RELEASED,
    count_statements,
    left_by,
    trouble_in,
    upgrade_killed_after,
)
from fullscript_pipeline_tests.helpers.warehouse_loads import START, Record, context, lines_of

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

PAYLOADS = 500
RECORDS = 1_000


def test_one_malformed_in_a_hundred_of_every_table(tmp_path: Path) -> None:
    started, chance = time.monotonic(), random.Random(10)
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    tables = [table for table in ALL_TABLES if not table.by_position]
    stored = aside = phantom = 0
    kinds = [how for how in BROKEN if how != "too large"]
    for table in tables:
        records: list[Record] = [{"id": f"x{number}", "name": "n"} for number in range(RECORDS)]
        for place in range(0, RECORDS, 100):
            spoil, _ = BROKEN[chance.choice(kinds)]
            # Different from one another: two that are equal are one record.
            records[place] = spoil(records[place] | {"place": place})
            records[place] = records[place] | {"place": place}
        with warehouse.write() as con:
            counts = load(con, table, lines_of(records, "parent"), context())
            (rows,) = con.execute(f"SELECT count(*) FROM {table.stored_in}").fetchall()[0]
            (held,) = con.execute("SELECT count(*) FROM ops.quarantine WHERE table_name = ?", [table.name]).fetchall()[
                0
            ]
        stored, aside = stored + rows, aside + held
        phantom += rows - (RECORDS - RECORDS // 100)
        assert counts.quarantined == RECORDS // 100
    with warehouse.write() as con:
        reasons = con.execute("SELECT count(*) FROM ops.quarantine WHERE reason IS NULL").fetchall()[0][0]
        # "After a fix": the records as they should have been.
        con.execute(
            """UPDATE ops.quarantine SET record = '{"id":"fixed-' || rowid || '","name":"n"}',
            record_id = 'fixed-' || rowid"""
        )
    with warehouse.write() as con:
        left = sum(one.left for one in replay(con, START, {"c1": "acme"}))
    acked = RECORDS * len(tables)
    report_promise(
        "promise 10", acked=acked, stored=stored, quarantined=aside, lost=acked - stored - aside, duplicated=0,
        phantom=phantom, without_reason=reasons, left_after_replay=left, tables=len(tables),
        seconds=time.monotonic() - started,
    )  # fmt: skip
    assert (acked - stored - aside, phantom, reasons, left) == (0, 0, 0, 0)


def test_mutated_payloads_are_never_silent(tmp_path: Path) -> None:
    started = time.monotonic()
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    payloads = [mutated(seed) for seed in range(PAYLOADS)]
    silent = lost(warehouse, tmp_path / "landing", payloads)
    with warehouse.read() as con:
        aside = con.execute("SELECT count(*) FROM ops.quarantine").fetchall()[0][0]
        kinds = dict(con.execute("SELECT what, count(*) FROM ops.drift GROUP BY ALL").fetchall())
    report_promise(
        "promise 25", payloads=PAYLOADS, crashes=0, lost=len(silent), duplicated=0, phantom=0, quarantined=aside,
        **kinds, seconds=time.monotonic() - started,
    )  # fmt: skip
    assert Counter(one.kind for one in silent) == {}


def test_every_upgrade_killed_after_every_statement(tmp_path: Path) -> None:
    started, kills, trouble = time.monotonic(), 0, []
    for version in RELEASED:
        for statement in range(1, count_statements(version, tmp_path) + 1):
            path = left_by(version, tmp_path / f"{version}-{statement}.duckdb")
            upgrade_killed_after(path, statement)
            kills += 1
            migrate(Warehouse(path), [])
            trouble += [(version, statement, one) for one in trouble_in(Warehouse(path))]
            path.unlink()
    report_promise(
        "promise 28", versions=len(RELEASED), kills=kills, unopenable=0, lost=len(trouble), duplicated=0, phantom=0,
        seconds=time.monotonic() - started,
    )  # fmt: skip
    assert trouble == []
