"""The marts of a whole sandbox world: the arithmetic closes, each product counts once, guardians may buy.

What does not belong here: what a single figure is (the other tests of this room), and the pages.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.adherence import build_adherence
from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
from fullscript_pipeline.warehouse.upgrades import migrate
from fullscript_pipeline_tests.helpers.dose_arithmetic import faults, key_of
from fullscript_pipeline_tests.helpers.full_pull import AllClinics
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

pytestmark = pytest.mark.check_all


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AllClinics, date]]:
    folder: Path = tmp_path_factory.mktemp("world")
    with connected_pipeline(folder, patients=200, products=320) as connected:
        cell = AllClinics(connected)
        cell.pull_everything()
        migrate(cell.warehouse, mart_ddl())
        day = clock.today(connected.settings.time_zone)
        with cell.warehouse.write() as con:
            build_everybody(con, day)
        yield cell, day


def build_everybody(con: duckdb.DuckDBPyConnection, day: date) -> None:
    for (clinic_id,) in con.execute("SELECT clinic_id FROM core.clinics").fetchall():
        build_adherence(con, clinic_id, day)


def table(con: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    cursor = con.execute(f"SELECT * FROM marts.{name}")
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def test_the_arithmetic_of_every_measured_row_closes(world: tuple[AllClinics, date]) -> None:
    with world[0].warehouse.read() as con:
        rows = table(con, "adherence")
        assert sum(row["pdc_min"] is not None for row in rows) > 500
        assert faults(rows, table(con, "adherence_dose_periods")) == []


def test_the_world_has_plans_bought_by_others_in_other_sizes_and_issued_again(world: tuple[AllClinics, date]) -> None:
    with world[0].warehouse.read() as con:
        rows = table(con, "adherence")
        (other_sizes,) = con.execute(
            """SELECT count(DISTINCT o.order_id) FROM core.orders o
            JOIN core.order_line_items i USING (clinic_id, order_id) JOIN core.variants v USING (variant_id)
            JOIN marts.adherence a ON a.clinic_id = o.clinic_id AND a.product_id = v.product_id
                AND list_contains(o.treatment_plan_ids, a.treatment_plan_id)
            WHERE NOT list_contains(a.variant_ids, i.variant_id) AND a.orders > 0"""
        ).fetchone() or (0,)
    assert other_sizes > 3
    for flag in ("ordered_by_guardian", "ordered_by_another"):
        assert sum(flag in row["flags"] for row in rows) > 3, flag
        assert not [row for row in rows if flag in row["flags"] and row["verdict"] == "never_ordered"]
    assert sum(row["continued_by"] is not None for row in rows) > 3


def test_every_product_of_a_patient_has_one_current_plan_and_every_other_one_that_began_is_told(
    world: tuple[AllClinics, date],
) -> None:
    with world[0].warehouse.read() as con:
        rows = table(con, "adherence")
    current = [(row["clinic_id"], row["patient_id"], row["product_id"]) for row in rows if row["is_current"]]
    assert len(current) == len(set(current))
    assert set(current) == {(row["clinic_id"], row["patient_id"], row["product_id"]) for row in rows}
    plans = {(row["treatment_plan_id"], row["product_id"]) for row in rows}
    assert all((row["continued_by"], row["product_id"]) in plans for row in rows if row["continued_by"])


def test_the_verdict_kept_for_a_patient_is_the_one_that_their_row_shows(world: tuple[AllClinics, date]) -> None:
    with world[0].warehouse.read() as con:
        patients, spells = table(con, "patients"), table(con, "patient_verdicts")
    shown = {row["patient_id"]: row["worst_verdict"] for row in patients if row["worst_verdict"]}
    assert {row["patient_id"]: row["verdict"] for row in spells if row["until"] is None} == shown


def test_late_due_and_left_are_of_one_reference_day(world: tuple[AllClinics, date]) -> None:
    with world[0].warehouse.read() as con:
        rows = table(con, "adherence")
    for row in rows:
        if row["days_late"] is not None:
            assert row["days_late"] == (row["as_of"] - row["run_out_on"]).days + 1 > 0
        if row["due_in_days"] is not None:
            assert row["due_in_days"] == (row["run_out_on"] - row["as_of"]).days == int(row["on_hand_days"] + 1e-9) + 1
        if row["window_days"] is not None and row["window_days"] < 30:
            assert row["share_verdict"] in (None, "too_early")


def test_what_a_guardian_buys_for_a_plan_gives_the_dependent_the_figures_of_an_own_order(
    world: tuple[AllClinics, date],
) -> None:
    """The world's dependents order themselves; here their guardians do, and nothing else changes."""
    cell, day = world
    with cell.warehouse.write() as con:
        before = {key_of(row): row for row in table(con, "adherence")}
        con.execute(
            """UPDATE core.orders o SET patient_id = p.guardian_patient_id FROM core.patients p
            WHERE p.clinic_id = o.clinic_id AND p.patient_id = o.patient_id AND p.guardian_patient_id IS NOT NULL
                AND len(o.treatment_plan_ids) > 0"""
        )
        build_everybody(con, day)
        after = {key_of(row): row for row in table(con, "adherence")}
        moved = [key for key, row in after.items() if "ordered_by_guardian" in row["flags"]]
    assert len(moved) > 3
    figures = ("pdc_min", "pdc_max", "orders", "last_order_on", "run_out_on", "on_hand_units", "status")
    for key, row in after.items():
        assert [row[name] for name in figures] == [before[key][name] for name in figures], (key, row["flags"])
