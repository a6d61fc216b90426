"""Defines which rows of the warehouse belong to a person or a clinic, for both `purge` and the export of a person's
data.

A person's rows are their own record, their plans, orders and lab orders with every version, the lines of those, and
rows that mention one of these ids. What does not belong here: removing rows (`purge`), exporting them (`person_rows`),
landed pages (`mentions`).
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb

# The objects of a person, and the column with their id in child tables (lines, tests, resources).
_OWNED = {
    "treatment_plan_id": "history.treatment_plans",
    "order_id": "core.orders",
    "lab_order_id": "history.lab_orders",
}
# Tables without a patient's id whose rows may be about a person: by a column of ids, or in the received record.
_REFERRING = {
    "core.events": "resource_id",
    "core.external_ids": "entity_id",
    "core.webhook_deliveries": "delivery_id",
    "ops.detail_reads": "object_id",
    "ops.held_removals": "record_key",
    "ops.view_sightings": "record_key",
    "ops.view_missing": "record_key",
    "ops.quarantine": "record_key",
}
_RECORDS = ("extra", "record")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A clinic, or (with `patient_id`) one person of it."""

    clinic_id: str
    patient_id: str | None = None

    @property
    def kind(self) -> str:
        return "clinic" if self.patient_id is None else "patient"

    def digest(self, key: str | None) -> str:
        """The keyed digest for the audit row: nobody can find the id by trying, and the key's owner can check an id."""
        text = f"{self.clinic_id}/{self.patient_id or ''}".encode()
        return hmac.new((key or "").encode(), text, hashlib.sha256).hexdigest()[:32]


def ids_of(con: duckdb.DuckDBPyConnection, subject: Subject) -> frozenset[str]:
    """The person's id and the ids of their plans, orders and lab orders; empty for a clinic."""
    if subject.patient_id is None:
        return frozenset()
    ids = {subject.patient_id}
    for column, table in _OWNED.items():
        ids |= {
            object_id
            for (object_id,) in con.execute(
                f"SELECT DISTINCT {column} FROM {table} WHERE clinic_id = ? AND patient_id = ?",
                [subject.clinic_id, subject.patient_id],
            ).fetchall()
        }
    return frozenset(ids)


class RowSelection(NamedTuple):
    """A condition, with its values, that selects rows of a stored table."""

    table: str
    condition: str
    values: list[Any]


def rows_of(con: duckdb.DuckDBPyConnection, subject: Subject, ids: frozenset[str]) -> list[RowSelection]:
    """The selections of the subject's rows, for every stored table that may hold some."""
    selections = []
    for table, columns in _tables(con).items():
        if subject.patient_id is None:
            # A row of a region may mention the clinic too (`viewer_clinic_id`).
            naming = sorted(column for column in columns if column.endswith("clinic_id"))
            condition = " OR ".join(f"{column} = ?" for column in naming)
            selections.append(RowSelection(table, condition, [subject.clinic_id] * len(naming)))
            continue
        condition, values = _condition(table, columns, subject, ids)
        if condition:
            # A webhook delivery without a clinic may still be about the person.
            nobodys = "OR clinic_id IS NULL" if subject.patient_id and table in _REFERRING else ""
            selections.append(
                RowSelection(table, f"(clinic_id = ? {nobodys}) AND ({condition})", [subject.clinic_id, *values])
            )
    return selections


def json_spellings(object_id: str) -> list[str]:
    """The spellings of an id in JSON text: quoted, or a bare number."""
    bare = (
        [f":{object_id},", f":{object_id}}}", f"[{object_id},", f",{object_id},", f"[{object_id}]", f",{object_id}]"]
        if object_id.isdigit()
        else []
    )
    return [json.dumps(object_id), *bare]


def _condition(table: str, columns: set[str], subject: Subject, ids: frozenset[str]) -> tuple[str, list[Any]]:
    """The condition of the person's rows of a table; empty for a table without persons."""
    conditions: list[str] = []
    values: list[Any] = []
    if table not in _REFERRING:
        if "patient_id" in columns:
            conditions, values = ["patient_id = ?"], [subject.patient_id]
        for owner in columns & _OWNED.keys():
            conditions.append(f"{owner} IN ?")
            values.append(list(ids))
        return " OR ".join(conditions), values
    key = _REFERRING[table]
    conditions, values = [f"list_has_any([{key}] || str_split({key}, '/'), ?)"], [list(ids)]
    for column in _RECORDS:
        if column in columns:
            conditions.append(f"len(list_filter(?, lambda spelling: contains({column}::VARCHAR, spelling))) > 0")
            values.append([spelling for object_id in ids for spelling in json_spellings(object_id)])
    return " OR ".join(conditions), values


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """The columns of every stored table with rows of clinics."""
    rows = con.execute(
        """SELECT schema_name || '.' || table_name, list(column_name) FROM duckdb_columns() WHERE database_name =
        current_database() AND (schema_name, table_name) IN (SELECT (schema_name, table_name) FROM duckdb_tables()
        WHERE database_name = current_database()) GROUP BY ALL ORDER BY 1"""
    ).fetchall()
    return {table: set(columns) for table, columns in rows if any(column.endswith("clinic_id") for column in columns)}
