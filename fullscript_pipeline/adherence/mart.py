"""`build_adherence`: a clinic's adherence marts from its plans, orders and catalog, as of the end of a day.

The tables' SQL is in sql/mart_*.sql, the measure in the engine. What does not belong here: transactions, files, pages.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import product
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from fullscript_pipeline.adherence import engine
from fullscript_pipeline.adherence.dosage import TEXTS, fold_unit, parse_dosage
from fullscript_pipeline.adherence.units import Unit, base_per_dose_unit, is_counted_form
from fullscript_pipeline.settings import AdherencePolicy

# Patients at a time, as many as have so many orders together: what a clinic of any size needs of memory (under 400 MB).
ORDERS_PER_BATCH = 300_000
# The unit of a dose that is a bare count: what a pack of capsules holds is what is counted.
_PACKS_OWN = "the pack's own"


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
    policy = policy or AdherencePolicy()
    engine.set_policy(con, as_of + timedelta(days=1), policy)
    scope = {"clinic": clinic_id, "day": as_of, "zone": (time_zone or ZoneInfo("UTC")).key}
    _set_scope(con, scope, is_everyone=patient_ids is None)
    if patient_ids is None:
        for name in ("adherence", "adherence_gaps", "adherence_timeline", "adherence_dose_periods"):
            con.execute(f"DELETE FROM marts.{name} WHERE clinic_id = ?", [clinic_id])
        patients = _all_patients(con, clinic_id)
        rows = sum(_build(con, batch, policy) for batch in _batches(con, clinic_id, patients))
        _set_patients(con, patients)
    else:
        _set_patients(con, sorted(set(patient_ids)))
        _run(con, "mart_7_delete")
        rows = _build(con, sorted(set(patient_ids)), policy)
    _run(con, "mart_8_daily", "mart_9_verdicts")
    engine.drop(con)
    return rows


def related_patients(con: duckdb.DuckDBPyConnection, clinic_id: str, patient_ids: Sequence[str]) -> list[str]:
    """These patients, and those linked to them because an order of one names a plan of the other."""
    rows = con.execute(
        """
        WITH wanted AS (SELECT unnest($ids::VARCHAR[]) AS patient_id),
        own_plans AS (
            SELECT treatment_plan_id
            FROM core.treatment_plans
            SEMI JOIN wanted USING (patient_id)
            WHERE clinic_id = $clinic
        ),
        named_by_own_orders AS (
            SELECT unnest(treatment_plan_ids) AS treatment_plan_id
            FROM core.orders
            SEMI JOIN wanted USING (patient_id)
            WHERE clinic_id = $clinic
        ),
        orders AS (
            SELECT patient_id, unnest(treatment_plan_ids) AS treatment_plan_id
            FROM core.orders
            WHERE clinic_id = $clinic AND patient_id IS NOT NULL
        )
        SELECT patient_id FROM wanted
        UNION
        SELECT patient_id FROM orders SEMI JOIN own_plans USING (treatment_plan_id)
        UNION
        SELECT patient_id
        FROM core.treatment_plans
        SEMI JOIN named_by_own_orders USING (treatment_plan_id)
        WHERE clinic_id = $clinic AND patient_id IS NOT NULL
        ORDER BY patient_id
        """,
        {"clinic": clinic_id, "ids": list(patient_ids)},
    )
    return [patient_id for (patient_id,) in rows.fetchall()]


def mart_day(con: duckdb.DuckDBPyConnection, clinic_id: str) -> date | None:
    """The day the clinic's rows stand at; None when it has none, or (a fault) several."""
    rows = con.execute("SELECT DISTINCT as_of FROM marts.adherence WHERE clinic_id = ? LIMIT 2", [clinic_id]).fetchall()
    return rows[0][0] if len(rows) == 1 else None


def recount_statuses(con: duckdb.DuckDBPyConnection, clinic_id: str) -> None:
    """Count the products of the marts' day again, after rows were erased; no row left: erase all counts of the clinic.

    Counts of earlier days stay: they name nobody, and nobody's part in them is known.
    """
    day = mart_day(con, clinic_id)
    if day is None:
        con.execute(
            "DELETE FROM marts.adherence_daily WHERE clinic_id = ? "
            "AND clinic_id NOT IN (SELECT clinic_id FROM marts.adherence)",
            [clinic_id],
        )
        return
    _set_scope(con, {"clinic": clinic_id, "day": day, "zone": "UTC"}, is_everyone=True)
    _run(con, "mart_8_daily")
    con.execute("DROP TABLE adh_scope")


def _all_patients(con: duckdb.DuckDBPyConnection, clinic_id: str) -> list[str]:
    rows = con.execute(
        "SELECT DISTINCT patient_id FROM history.treatment_plans WHERE clinic_id = ? AND patient_id IS NOT NULL "
        "ORDER BY patient_id",
        [clinic_id],
    )
    return [patient_id for (patient_id,) in rows.fetchall()]


def _batches(con: duckdb.DuckDBPyConnection, clinic_id: str, patient_ids: Sequence[str]) -> Iterator[list[str]]:
    """The patients, in groups that together have about ORDERS_PER_BATCH orders."""
    orders = dict(
        con.execute(
            "SELECT patient_id, count(*) FROM core.orders WHERE clinic_id = ? GROUP BY 1", [clinic_id]
        ).fetchall()
    )
    batch: list[str] = []
    in_batch = 0
    for patient_id in patient_ids:
        batch.append(patient_id)
        in_batch += 1 + orders.get(patient_id, 0)
        if in_batch >= ORDERS_PER_BATCH:
            yield batch
            batch, in_batch = [], 0
    if batch:
        yield batch


def _set_scope(con: duckdb.DuckDBPyConnection, scope: Mapping[str, object], *, is_everyone: bool) -> None:
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE adh_scope AS
        SELECT
            $clinic::VARCHAR AS clinic_id, $day::DATE AS day, $zone::VARCHAR AS zone, $everyone::BOOLEAN AS is_everyone,
            (SELECT any_value(region) FROM core.clinics WHERE clinic_id = $clinic) AS region
        """,
        {**scope, "everyone": is_everyone},
    )


def _set_patients(con: duckdb.DuckDBPyConnection, patient_ids: Sequence[str]) -> None:
    _fill(con, "adh_wanted", pa.table({"patient_id": pa.array(patient_ids, pa.string())}))


def _build(con: duckdb.DuckDBPyConnection, patient_ids: Sequence[str], policy: AdherencePolicy) -> int:
    """Write the rows of these patients; returns how many rows of marts.adherence they have."""
    _set_patients(con, patient_ids)
    _run(con, "mart_0_orders", "mart_1_plans", "mart_2_lines")
    dose_units = _read_dosages(con, assumes_pack_unit=policy.assume_pack_unit)
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


def _read_dosages(con: duckdb.DuckDBPyConnection, *, assumes_pack_unit: bool) -> list[str]:
    """Write adh_dosages, a row per distinct dosage text; returns the units the doses are in."""
    columns = ", ".join(f"dosage_{name}" for name in TEXTS)
    texts = con.execute(f"SELECT DISTINCT {columns} FROM adh_lines").fetchall()
    doses = [parse_dosage(*row) for row in texts]
    units = [dose.unit or (_PACKS_OWN if dose.counts_pack_unit and assumes_pack_unit else "") for dose in doses]
    table = {f"dosage_{name}": pa.array([row[at] for row in texts], pa.string()) for at, name in enumerate(TEXTS)}
    table |= {
        "dosage_id": pa.array(range(len(texts)), pa.int64()),
        "dosage_text": pa.array([readable(*row) for row in texts], pa.string()),
        "status": pa.array([dose.status for dose in doses], pa.string()),
        "unit": pa.array([dose.unit for dose in doses], pa.string()),
        "dose_unit": pa.array(units, pa.string()),
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
    return sorted(set(units))


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
    judged = [_conversion(dose, packs[pack]) for dose, pack in pairs]
    table = {
        "dose_unit": pa.array([dose for dose, _ in pairs], pa.string()),
        "pack_unit": pa.array([pack for _, pack in pairs], pa.string()),
        "pack_base": pa.array([getattr(packs[pack], "base", None) for _, pack in pairs], pa.string()),
        "pack_name": pa.array([getattr(packs[pack], "name", None) for _, pack in pairs], pa.string()),
        "problem": pa.array([problem for _, problem in judged], pa.string()),
    }
    _fill(con, "adh_conversions", pa.table(table | _fraction_columns([factor for factor, _ in judged])))


def _conversion(dose_unit: str, pack: Unit | None) -> tuple[Fraction | None, str | None]:
    """Base units in one dose unit, or the reason why the dose cannot be counted in this pack."""
    if pack is None:
        return None, "missing_units"
    if dose_unit == _PACKS_OWN:
        return (pack.factor, None) if is_counted_form(pack) else (None, "unit_mismatch")
    dose = fold_unit(dose_unit)
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
