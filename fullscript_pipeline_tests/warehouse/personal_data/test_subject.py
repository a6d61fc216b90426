"""What is a person's: every table that can name one is known, is shown by an export and emptied by a purge."""

import json
from pathlib import Path

import duckdb
import pytest

from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.state.purge import rows_of_patient
from fullscript_pipeline.state.schema import metadata
from fullscript_pipeline.warehouse.personal_data.person_rows import stored_rows
from fullscript_pipeline.warehouse.personal_data.purge import delete_rows
from fullscript_pipeline.warehouse.personal_data.subject import Subject, ids_of, rows_of
from fullscript_pipeline.warehouse.upgrades.migrations import statements
from fullscript_pipeline_tests.helpers.data_dictionary import MEANINGS

_IDS = {"patient_id": "p1", "treatment_plan_id": "t1", "order_id": "o1", "lab_order_id": "l1"}
# Ids of anything: of the person's order in these rows.
_OF_ANY = ("resource_id", "entity_id", "object_id")


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(":memory:")
    for statement in statements(mart_ddl()):
        con.execute(statement)
    return con


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    rows = con.execute(
        "SELECT c.schema_name || '.' || c.table_name, list(c.column_name) FROM duckdb_columns() c JOIN duckdb_tables() "
        "USING (database_oid, schema_oid, table_oid) GROUP BY ALL"
    ).fetchall()
    return dict(rows)


def _is_about_patients(table: str) -> bool:
    return MEANINGS[table.replace("history.", "core.", 1) if table not in MEANINGS else table]["phi"] == "patient"


def _put_one(con: duckdb.DuckDBPyConnection, table: str, columns: list[str], patient: str) -> None:
    """A row of the person, or of somebody else of the clinic (every id is another one then)."""
    suffix = "" if patient == "p1" else "-other"
    values = {"clinic_id": "c1"} | {name: one + suffix for name, one in _IDS.items() if name in columns}
    values |= {name: f"o1{suffix}" for name in _OF_ANY if name in columns}
    if table in {"ops.quarantine", "ops.held_removals", "ops.view_sightings", "ops.view_missing"}:
        values |= {"record_key": f"{patient}/t1{suffix}"}
    if table == "core.webhook_deliveries":
        values |= {"extra": json.dumps({"data": {"patient": {"id": patient}}})}
    names = ", ".join(values)
    con.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", [*values.values()])


def test_every_table_about_patients_is_shown_and_emptied(con: duckdb.DuckDBPyConnection) -> None:
    tables = {name: columns for name, columns in _tables(con).items() if _is_about_patients(name)}
    assert len(tables) > 20
    for table, columns in tables.items():
        for patient in ("p1", "p2"):
            _put_one(con, table, columns, patient)
    subject = Subject(clinic_id="c1", patient_id="p1")
    ids = ids_of(con, subject)
    assert ids == {"p1", "t1", "o1", "l1"}
    shown = stored_rows(con, subject, ids)
    assert {table for table, rows in shown.items() if rows} == tables.keys()
    assert all(len(rows) == 1 and json.loads(rows[0])["clinic_id"] == "c1" for rows in shown.values() if rows)
    delete_rows(con, subject, ids)
    assert not any(stored_rows(con, subject, ids).values())
    for table in tables:
        assert con.execute(f"SELECT count(*) FROM {table}").fetchall() == [(1,)], f"somebody else's row of {table}"


def test_no_table_with_a_patient_in_it_is_unknown(con: duckdb.DuckDBPyConnection) -> None:
    """Whatever the dictionary says: a column of a person's ids is enough."""
    known = {one.table for one in rows_of(con, Subject(clinic_id="c1", patient_id="p1"), frozenset({"p1"}))}
    named = {
        table
        for table, columns in _tables(con).items()
        if any(column.endswith("patient_id") or column in _IDS for column in columns)
    }
    assert named <= known


# Its bodies hold products and numbers of plans, never a patient.
OF_THE_CATALOG = {"change_notices"}


def test_every_table_of_the_state_store_that_can_name_a_patient_is_shown(tmp_path: Path) -> None:
    columns = {*_IDS, *_OF_ANY, "body"}
    named = {table.name for table in metadata.sorted_tables if columns & set(table.c.keys())} - OF_THE_CATALOG
    with StateStore(tmp_path / "state.sqlite") as store:
        clinic = Clinic(server="us-snd", clinic_id="c1", clinic_key="acme", region="us")
        assert rows_of_patient(store.db, store.keyring, clinic, {"p1"}).keys() == named
