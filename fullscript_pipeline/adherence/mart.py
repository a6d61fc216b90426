"""`build_adherence`: a clinic's adherence marts from its plans, orders and catalog, as of the end of a day.

The tables' SQL is in sql/mart_*.sql, the measure in the engine. What does not belong here: transactions, files, pages.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import product
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from fullscript_pipeline.adherence import engine
from fullscript_pipeline.adherence.dosage import fold_unit, parse_dosage
from fullscript_pipeline.adherence.units import Unit, base_per_dose_unit
from fullscript_pipeline.settings import AdherencePolicy

# Patients at a time: what a clinic of any size needs of memory (with 30 orders each, under 400 MB).
BATCH = 10_000
_TEXTS = ("amount", "frequency", "duration", "format", "additional_info")


def build_adherence(
    con: duckdb.DuckDBPyConnection,
    clinic_id: str,
    as_of: date,
    *,
    patient_ids: Sequence[str] | None = None,
    policy: AdherencePolicy | None = None,
    time_zone: ZoneInfo | None = None,
) -> int:
    """Replace the clinic's rows of marts.adherence, its gaps, timeline and dose periods; returns rows of the first.

    The day's rows of adherence_daily and patient_verdicts are replaced too; those of earlier days stay.

    `as_of` counts: the window goes through the end of that day. A clinic has one as_of day; with `patient_ids` only
    those patients' rows are replaced. Plans are taken as known on that day (history), orders as known now. `time_zone`
    (default UTC) is the one in which the day of an observation is named.
    Runs inside the caller's transaction; the connection's default catalog is the warehouse.
    """
    zone = (time_zone or ZoneInfo("UTC")).key
    engine.set_policy(con, as_of + timedelta(days=1), policy or AdherencePolicy())
    patients = _all_patients(con, clinic_id) if patient_ids is None else sorted(set(patient_ids))
    if patient_ids is None:
        for name in ("adherence", "adherence_gaps", "adherence_timeline", "adherence_dose_periods"):
            con.execute(f"DELETE FROM marts.{name} WHERE clinic_id = ?", [clinic_id])
    _set_scope(con, clinic_id, as_of, zone, is_everyone=patient_ids is None)
    _run(con, "mart_0_named_orders")
    rows = 0
    for first in range(0, len(patients), BATCH):
        rows += _build(con, patients[first : first + BATCH])
    _set_patients(con, patients)
    _run(con, "mart_8_history")
    engine.drop(con)
    return rows


def related_patients(con: duckdb.DuckDBPyConnection, clinic_id: str, patient_ids: Sequence[str]) -> list[str]:
    """These patients, and those linked to them because an order of one names a plan of the other."""
    rows = con.execute(
        """
        WITH named AS (
            SELECT patient_id AS buyer_id, unnest(treatment_plan_ids) AS treatment_plan_id
            FROM core.orders
            WHERE clinic_id = $clinic AND patient_id IS NOT NULL
        ),
        pairs AS (
            SELECT n.buyer_id, p.patient_id AS owner_id
            FROM named n
            JOIN core.treatment_plans p USING (treatment_plan_id)
            WHERE p.clinic_id = $clinic AND p.patient_id <> n.buyer_id
        )
        SELECT unnest($ids::VARCHAR[]) AS patient_id
        UNION
        SELECT owner_id FROM pairs WHERE buyer_id IN (SELECT unnest($ids::VARCHAR[]))
        UNION
        SELECT buyer_id FROM pairs WHERE owner_id IN (SELECT unnest($ids::VARCHAR[]))
        ORDER BY patient_id
        """,
        {"clinic": clinic_id, "ids": list(patient_ids)},
    )
    return [patient_id for (patient_id,) in rows.fetchall()]


def mart_day(con: duckdb.DuckDBPyConnection, clinic_id: str) -> date | None:
    """The day the clinic's rows stand at; None when it has none, or (a fault) several."""
    rows = con.execute("SELECT DISTINCT as_of FROM marts.adherence WHERE clinic_id = ? LIMIT 2", [clinic_id]).fetchall()
    return rows[0][0] if len(rows) == 1 else None


def _all_patients(con: duckdb.DuckDBPyConnection, clinic_id: str) -> list[str]:
    rows = con.execute(
        "SELECT DISTINCT patient_id FROM history.treatment_plans WHERE clinic_id = ? AND patient_id IS NOT NULL "
        "ORDER BY patient_id",
        [clinic_id],
    )
    return [patient_id for (patient_id,) in rows.fetchall()]


def _set_scope(con: duckdb.DuckDBPyConnection, clinic_id: str, as_of: date, zone: str, *, is_everyone: bool) -> None:
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE adh_scope AS
        SELECT
            ?::VARCHAR AS clinic_id, ?::DATE AS day, ?::VARCHAR AS zone, ?::BOOLEAN AS is_everyone,
            (SELECT any_value(region) FROM core.clinics WHERE clinic_id = ?) AS region
        """,
        [clinic_id, as_of, zone, is_everyone, clinic_id],
    )


def _set_patients(con: duckdb.DuckDBPyConnection, patient_ids: Sequence[str]) -> None:
    _fill(con, "adh_wanted", pa.table({"patient_id": pa.array(patient_ids, pa.string())}))


def _build(con: duckdb.DuckDBPyConnection, patient_ids: Sequence[str]) -> int:
    """Replace the rows of these patients; returns how many rows of marts.adherence they have."""
    _set_patients(con, patient_ids)
    _run(con, "mart_1_plans", "mart_2_lines")
    dose_units = _read_dosages(con)
    _run(con, "mart_3_rows")
    _convert_units(con, dose_units)
    _run(con, "mart_4_fills", "mart_5_doses")
    engine.run(con, dose_periods=True)
    _run(con, "mart_6_rows", "mart_7_write")
    (rows,) = con.execute("SELECT count(*) FROM adh_mart").fetchone() or (0,)
    return int(rows)


def _run(con: duckdb.DuckDBPyConnection, *steps: str) -> None:
    for step in steps:
        con.execute(engine.sql_text(step))


def _read_dosages(con: duckdb.DuckDBPyConnection) -> list[str]:
    """adh_dosages: every distinct dosage text, read once. Returns the units the doses are in."""
    columns = ", ".join(f"dosage_{name}" for name in _TEXTS)
    texts = con.execute(f"SELECT DISTINCT {columns} FROM adh_lines").fetchall()
    doses = [parse_dosage(*row) for row in texts]
    table = {f"dosage_{name}": pa.array([row[at] for row in texts], pa.string()) for at, name in enumerate(_TEXTS)}
    table |= {
        "dosage_id": pa.array(range(len(texts)), pa.int64()),
        "dosage_text": pa.array([readable(*row) for row in texts], pa.string()),
        "status": pa.array([dose.status for dose in doses], pa.string()),
        "unit": pa.array([dose.unit for dose in doses], pa.string()),
        "duration_days": pa.array([dose.duration_days for dose in doses], pa.int32()),
        "duration_kind": pa.array([dose.duration_kind for dose in doses], pa.string()),
        "reason": pa.array([dose.reason for dose in doses], pa.string()),
        "assumptions": pa.array([list(dose.assumptions) for dose in doses], pa.list_(pa.string())),
        "flags": pa.array([list(dose.flags) for dose in doses], pa.list_(pa.string())),
    }
    for bound in ("min", "max"):
        rates = [getattr(dose, f"units_per_day_{bound}") for dose in doses]
        table[f"{bound}_num"] = pa.array([rate and rate.numerator for rate in rates], pa.int64())
        table[f"{bound}_den"] = pa.array([rate and rate.denominator for rate in rates], pa.int64())
    _fill(con, "adh_dosages", pa.table(table))
    return sorted({dose.unit or "" for dose in doses})


def readable(
    amount: str | None, frequency: str | None, duration: str | None, format: str | None, additional_info: str | None
) -> str | None:
    """The dosage as written, in one line: `2 capsule, twice per day, 2 months, with food`; None when nothing is."""
    parts = [" ".join(part for part in (amount, format) if part), frequency, duration, additional_info]
    return ", ".join(part.strip() for part in parts if part and part.strip()) or None


def _convert_units(con: duckdb.DuckDBPyConnection, dose_units: Sequence[str]) -> None:
    """adh_pack_units: base units in one pack unit; adh_conversions: base units in one dose unit, beside each pack."""
    spelled = {
        unit or ""
        for (unit,) in con.execute(
            "SELECT DISTINCT v.unit_of_measure FROM core.variants v JOIN adh_scope s USING (region)"
        ).fetchall()
    } | {""}
    packs = {text: fold_unit(text) for text in sorted(spelled)}
    factors = {text: pack.factor if pack else Fraction(1) for text, pack in packs.items()}
    _fill(
        con,
        "adh_pack_units",
        pa.table({"pack_unit": pa.array(list(factors), pa.string())} | _fraction_columns(list(factors.values()))),
    )
    pairs = list(product(dose_units, packs))
    judged = [_conversion(fold_unit(dose), packs[pack]) for dose, pack in pairs]
    table = {
        "dose_unit": pa.array([dose for dose, _ in pairs], pa.string()),
        "pack_unit": pa.array([pack for _, pack in pairs], pa.string()),
        "pack_base": pa.array([getattr(packs[pack], "base", None) for _, pack in pairs], pa.string()),
        "problem": pa.array([problem for _, problem in judged], pa.string()),
    }
    _fill(con, "adh_conversions", pa.table(table | _fraction_columns([factor for factor, _ in judged])))


def _conversion(dose: Unit | None, pack: Unit | None) -> tuple[Fraction | None, str | None]:
    """Base units in one dose unit, or the reason why the dose cannot be counted in this pack."""
    if pack is None:
        return None, "missing_units"
    factor = base_per_dose_unit(dose, pack) if dose else None
    if factor is not None:
        return factor, None
    # Milligrams beside counted pieces are what is inside a piece, not how many pieces.
    is_strength = dose is not None and dose.name in ("milligram", "microgram") and pack.kind == "form"
    return None, "unparsable_dosage" if is_strength else "unit_mismatch"


def _fraction_columns(values: Sequence[Fraction | None]) -> dict[str, pa.Array]:
    return {
        "factor_num": pa.array([value and value.numerator for value in values], pa.int64()),
        "factor_den": pa.array([value and value.denominator for value in values], pa.int64()),
    }


def _fill(con: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    con.register("adh_arriving", table)
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM adh_arriving")
    con.unregister("adh_arriving")
