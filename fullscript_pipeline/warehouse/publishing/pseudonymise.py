"""A pseudonymised copy: one row per row of the warehouse, with pseudonyms in place of the ids of persons.

A pseudonym is a hash keyed by a pepper that is in no file: without it nobody can find ids by trying. The clinic and the
kind of object are part of the hash, so equal ids of two clinics, or of a patient and an order, get different
pseudonyms. Rows are sorted by pseudonym, so their order reveals nothing. What does not belong here: which columns stay
(`published_columns`), where the pepper comes from (`publish_secrets`).
"""

import duckdb

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.warehouse.publishing.k_anonymity import OLDEST_EXACT_AGE
from fullscript_pipeline.warehouse.publishing.published_columns import PSEUDONYMISED, SHIFTED, Columns, gender_word
from fullscript_pipeline.warehouse.schema import as_of_macro_sql, latest_view_sql

# Columns with an id of a person or of their objects, and the kind of object.
_KINDS = {
    "patient_id": "patient",
    "guardian_patient_id": "patient",
    "practitioner_id": "practitioner",
    "treatment_plan_id": "plan",
    "continued_by": "plan",
    "dose_plan_id": "plan",
    "order_id": "order",
    "lab_order_id": "lab_order",
}
_SHIFTED_DATES = frozenset({"available_at", "created_on", "completed_on"})


def write_pseudonymised(con: duckdb.DuckDBPyConnection, pepper: str, this_year: int, *, shift_dates: bool) -> None:
    """Fills the empty file `target` from `warehouse`."""
    con.execute("SET VARIABLE pepper = ?", [pepper])
    try:
        for schema in ("core", "history", "marts"):
            con.execute(f"CREATE SCHEMA target.{schema}")
        for table, columns in _existing_columns(con, SHIFTED if shift_dates else PSEUDONYMISED).items():
            masked = ", ".join(_masked(column, this_year, shift_dates=shift_dates) for column in columns)
            order = "ORDER BY ALL" if _KINDS.keys() & set(columns) else ""
            con.execute(f"CREATE TABLE target.{table} AS SELECT {masked} FROM warehouse.{table} {order}")
    finally:
        con.execute("RESET VARIABLE pepper")
    if not shift_dates:
        _views_of_history(con)


def _existing_columns(con: duckdb.DuckDBPyConnection, columns: Columns) -> Columns:
    """The listed columns that this warehouse has."""
    rows = con.execute(
        "SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns() WHERE database_name = 'warehouse'"
    ).fetchall()
    stored = set(rows)
    existing = {table: tuple(name for name in names if (table, name) in stored) for table, names in columns.items()}
    return {table: names for table, names in existing.items() if names}


def _masked(column: str, this_year: int, *, shift_dates: bool) -> str:
    if column in _KINDS:
        return f"{_pseudonym(_KINDS[column], column)} AS {column}"
    if column == "treatment_plan_ids":
        return f"list_transform({column}, lambda id: {_pseudonym('plan', 'id')}) AS {column}"
    if column == "date_of_birth":
        # Higher ages are pooled, because they are rare.
        oldest = this_year - OLDEST_EXACT_AGE
        return f"CASE WHEN year({column}) < {oldest} THEN {oldest} ELSE year({column}) END AS birth_year"
    if column == "gender":
        return f"{gender_word(column)} AS {column}"
    if shift_dates and column in _SHIFTED_DATES:
        return f"{column} - {_shift('patient_id')} AS {column}"
    return column


def _pseudonym(kind: str, value: str) -> str:
    return f"left({_keyed(kind, value)}, 20)"


def _shift(patient: str) -> str:
    """SQL for the shift of a patient's dates: 1 to 365 days, the same for all of them."""
    return f"(1 + ('0x' || left({_keyed('shift', patient)}, 12))::BIGINT % 365)::INTEGER"


def _keyed(what: str, value: str) -> str:
    return f"sha256(getvariable('pepper') || '|{what}|' || clinic_id || '|' || {value})"


def _views_of_history(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("USE target")
    try:
        for table in ALL_TABLES:
            if table.history and table.stored_in in PSEUDONYMISED:
                con.execute(latest_view_sql(table))
                con.execute(as_of_macro_sql(table))
    finally:
        con.execute("USE warehouse")
