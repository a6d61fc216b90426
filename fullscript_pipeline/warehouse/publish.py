"""Read copies for analysts, under `published/`: written aside, then renamed, so that a reader never sees half of one.

Whole, or de-identified: then only the columns listed here are in it (a column that is new is not), persons' ids are
replaced by keyed hashes, a date of birth by its year. What does not belong here: single files for spreadsheets
(`export.py`), backups (`backup.py`).
"""

import hashlib
import hmac
from pathlib import Path

import duckdb

from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse import asof
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.objects import ALL_TABLES

WHOLE, DEIDENTIFIED = "fullscript.duckdb", "fullscript-deidentified.duckdb"

# Ids of persons and of what is theirs: hashed wherever they stand.
HASHED = frozenset(
    {"patient_id", "guardian_patient_id", "practitioner_id", "treatment_plan_id", "order_id", "lab_order_id"}
)
_SEEN = ("observed_at", "removed_at")
_VERSION = (*_SEEN, "valid_from", "valid_to")
# What stays of the tables that know persons. No name, no address of any kind, no free text, no number of an order.
KEPT: dict[str, tuple[str, ...]] = {
    "core.clinics": ("clinic_id", "region", "patient_count", "practitioner_count", *_SEEN),
    "core.practitioners": ("clinic_id", "practitioner_id", "practitioner_type_id", *_SEEN),
    "core.patients": (
        "clinic_id", "patient_id", "date_of_birth", "gender", "archived", "is_dependent", "guardian_patient_id", *_SEEN,
    ),
    "history.treatment_plans": (
        "clinic_id", "treatment_plan_id", "patient_id", "practitioner_id", "state", "available_at", "created_at",
        "updated_at", *_VERSION,
    ),
    "history.recommendations": (
        "clinic_id", "treatment_plan_id", "position", "variant_id", "units_to_purchase", "refill", *_VERSION,
    ),
    "core.orders": (
        "clinic_id", "order_id", "patient_id", "completed_at", "completed_on", "treatment_plan_ids", "is_refunded",
        *_SEEN,
    ),
    "core.order_line_items": ("clinic_id", "order_id", "position", "variant_id", "quantity", "line_type", *_SEEN),
    "history.lab_orders": (
        "clinic_id", "lab_order_id", "patient_id", "practitioner_id", "treatment_plan_id", "state", *_VERSION,
    ),
    "history.lab_order_tests": ("clinic_id", "lab_order_id", "position", "lab_test_id", *_VERSION),
    "history.lab_order_results": ("clinic_id", "lab_order_id", "position", "state", *_VERSION),
    "core.categories": ("clinic_id", "category_id", "name", *_SEEN),
    "core.category_products": ("clinic_id", "category_id", "product_id", "product_name", *_SEEN),
    "marts.adherence": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "practitioner_id", "as_of", "window_start",
        "window_end", "window_days", "measurable", "status", "adherent", "pdc_min", "pdc_max", "on_hand_days",
        "run_out_on", "orders", "flags", "product_name", "brand_name", "variant_ids", "plan_state", "plan_started_on",
        "units_per_day_min_value", "units_per_day_max_value", "duration_kind", "duration_days", "refill",
        "units_to_purchase", "pdc_since_first_order", "cma1", "cma2", "cma5", "supply_ratio", "initiation_delay_days",
        "longest_gap_days", "gap_days", "first_order_on", "last_order_on", "units_supplied", "days_late", "due_in_days",
        "episodes", "is_persistent",
    ),
    "marts.adherence_gaps": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "as_of", "gap_start", "gap_end", "gap_days",
        "is_open",
    ),
    "marts.adherence_timeline": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "as_of", "kind", "start_on", "end_on", "quantity",
        "units",
    ),
}  # fmt: skip
# The vendor's catalog knows no person: everything but the records as received.
_CATALOG_ONLY = ("marts.catalog_changes", "history.category_memberships")
# Ages above are pooled: there are few of them.
_OLDEST = 89


def published(settings: Settings) -> list[bool]:
    """Which copies there are: False for the whole one, True for the de-identified one."""
    names = {False: WHOLE, True: DEIDENTIFIED}
    return [which for which, name in names.items() if (settings.published_dir / name).exists()]


def publish(settings: Settings, warehouse: Warehouse, *, deidentified: bool = False) -> Path:
    """Replaces a copy by the present warehouse; its path. Encrypted when the warehouse is, or a publish key is set.

    Raises Busy when the warehouse is held too long, ConfigurationError when there is none.
    """
    target = settings.published_dir / (DEIDENTIFIED if deidentified else WHOLE)
    make_private_folder(settings.published_dir)
    temporary = target.with_name(f".{target.name}.writing")
    temporary.unlink(missing_ok=True)
    key = settings.publish_key or settings.warehouse_key
    with warehouse.beside(temporary, key) as con:
        if deidentified:
            _fill(con, settings.warehouse_key)
        else:
            con.execute("COPY FROM DATABASE warehouse TO beside")
    temporary.replace(target)
    return target


def kept_columns(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """What a de-identified copy of this warehouse holds: table and columns."""
    catalog = {one.stored_in for one in ALL_TABLES if one.scope == "region"} | set(_CATALOG_ONLY)
    rows = con.execute(
        """SELECT c.schema_name || '.' || c.table_name, list(c.column_name ORDER BY c.column_index)
        FROM duckdb_columns() c JOIN duckdb_tables() t USING (database_name, schema_name, table_name)
        WHERE c.database_name = 'warehouse' GROUP BY ALL ORDER BY 1"""
    ).fetchall()
    return {
        table: [one for one in columns if one in KEPT.get(table, ()) or (table in catalog and one != "extra")]
        for table, columns in rows
        if table in KEPT or table in catalog
    }


def _fill(con: duckdb.DuckDBPyConnection, key: str | None) -> None:
    con.execute(
        "SET VARIABLE pepper = ?", [hmac.new((key or "").encode(), b"published ids", hashlib.sha256).hexdigest()]
    )
    for schema in ("core", "history", "marts"):
        con.execute(f"CREATE SCHEMA beside.{schema}")
    for table, columns in kept_columns(con).items():
        con.execute(f"CREATE TABLE beside.{table} AS SELECT {', '.join(map(_masked, columns))} FROM warehouse.{table}")
    con.execute("RESET VARIABLE pepper")
    con.execute("USE beside")
    for one in ALL_TABLES:
        if one.history and (one.stored_in in KEPT or one.scope == "region"):
            con.execute(asof.present(one))
            con.execute(asof.macro(one))
    con.execute("USE warehouse")


def _masked(column: str) -> str:
    if column in HASHED:
        return f"{_hash(column)} AS {column}"
    if column == "treatment_plan_ids":
        return f"list_transform({column}, lambda one: {_hash('one')}) AS {column}"
    if column == "date_of_birth":
        return f"greatest(year({column}), year(current_date) - {_OLDEST}) AS birth_year"
    return column


def _hash(value: str) -> str:
    return f"left(sha256(getvariable('pepper') || '|' || {value}), 20)"
