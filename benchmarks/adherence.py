"""How fast the adherence engine is: all rows and a hundred patients, as frames and as the mart of a clinic.

Beside it the limit (a scan, two windows and a group of the same fills in BIGINT) and the day-by-day oracle. What is
measured is CPU time where a ratio is printed: it depends less on what else the machine does.

PYTHONPATH=. python benchmarks/adherence.py [FILLS] [ROWS]
"""

import sys
import time
from collections.abc import Hashable
from datetime import date
from fractions import Fraction
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from adherence_clinic import large_clinic
from peak_memory import peak_mb

from fullscript_pipeline.adherence import build_adherence, measure, related_patients
from fullscript_pipeline_tests.helpers import adherence_oracle

AS_OF = date(2026, 1, 1)
DAY = "datetime64[D]"


def world(fills: int, rows: int, seed: int = 7) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Recommendations (a third with a range, a tenth with a dose change, some re-issued) and fills, at random."""
    random = np.random.default_rng(seed)
    pool = np.arange(rows) % max(1, int(rows * 0.95))
    dose = random.choice([1, 2, 3, 4, 1.5], rows)
    start = np.datetime64("2024-01-01", "D") + random.integers(0, 600, rows).astype("timedelta64[D]")
    end = np.where(random.random(rows) < 0.1, start + random.integers(30, 200, rows), np.datetime64("NaT", "D"))
    recommendations = pd.DataFrame(
        {
            "patient_id": [f"patient-{number // 4:06d}" for number in pool],
            "treatment_plan_id": [f"plan-{number:06d}" for number in range(rows)],
            "product_id": [f"product-{number % 4}" for number in pool],
            "start": start.astype("datetime64[s]"),
            "end": end.astype(DAY).astype("datetime64[s]"),
            "dose_from": start.astype("datetime64[s]"),
            "units_per_day_min": np.where(random.random(rows) < 0.3, dose / 2, dose),
            "units_per_day_max": dose,
        }
    )
    changed = recommendations.sample(frac=0.1, random_state=seed)
    changed = changed.assign(dose_from=changed["start"] + pd.Timedelta(days=90), units_per_day_max=5)
    bought = random.integers(0, pool.max() + 1, fills)
    filled_on = np.datetime64("2023-11-01", "D") + random.integers(0, 790, fills).astype("timedelta64[D]")
    return pd.concat([recommendations, changed], ignore_index=True), pd.DataFrame(
        {
            "patient_id": "patient-" + pd.Series(bought // 4).astype(str).str.zfill(6),
            "product_id": "product-" + pd.Series(bought % 4).astype(str),
            "filled_on": filled_on.astype("datetime64[s]"),
            "units": random.choice([30, 60, 90, 120], fills),
        }
    )


def by_day(recommendations: pd.DataFrame, fills: pd.DataFrame) -> float:
    """Seconds the day-by-day definition needs for the same rows."""
    begun = time.perf_counter()
    bought: dict[object, list[adherence_oracle.Fill]] = {}
    for fill in fills.to_dict("records"):
        order = adherence_oracle.Fill(fill["filled_on"].date(), Fraction(fill["units"]))
        bought.setdefault((fill["patient_id"], fill["product_id"]), []).append(order)
    for key, pool in recommendations.groupby(["patient_id", "product_id"]):
        plans = [_plan(versions.to_dict("records")) for _, versions in pool.groupby("treatment_plan_id")]
        adherence_oracle.pool_figures(plans, bought.get(key, []), AS_OF)
    return time.perf_counter() - begun


def _plan(versions: list[dict[Hashable, Any]]) -> adherence_oracle.Plan:
    first = versions[0]
    doses = [
        adherence_oracle.Dose(
            dose["dose_from"].date(), Fraction(dose["units_per_day_min"]), Fraction(dose["units_per_day_max"])
        )
        for dose in versions
    ]
    end = None if pd.isna(first["end"]) else first["end"].date()
    return adherence_oracle.Plan(first["treatment_plan_id"], first["start"].date(), end, tuple(doses))


def timed(recommendations: pd.DataFrame, fills: pd.DataFrame) -> float:
    begun = time.perf_counter()
    measure(recommendations, fills, AS_OF)
    return time.perf_counter() - begun


LIMIT = """
    CREATE OR REPLACE TABLE covered AS
    SELECT
        pool, sum(greatest(0, least(lasts_to, position + 400) - position))::BIGINT AS covered, max(lasts_to) AS lasts_to
    FROM (
        SELECT pool, position, bought + max(position - (bought - units)) OVER w AS lasts_to
        FROM (
            SELECT pool, day, units, day * 2 AS position, (sum(units) OVER w)::BIGINT AS bought
            FROM fills
            WINDOW w AS (PARTITION BY pool ORDER BY day ROWS UNBOUNDED PRECEDING)
        )
        WINDOW w AS (PARTITION BY pool ORDER BY day ROWS UNBOUNDED PRECEDING)
    )
    GROUP BY pool"""


def limit(fills: pd.DataFrame) -> float:
    """CPU seconds of what no engine of this kind can do without, in whole numbers that fit 64 bits; no id is read."""
    pools, _ = pd.factorize(fills["patient_id"] + fills["product_id"])
    days = fills["filled_on"].to_numpy().astype(DAY).astype("int64")
    with duckdb.connect() as con:
        con.register("arrow", pa.table({"pool": pools, "day": days, "units": fills["units"].to_numpy()}))
        con.execute("CREATE TABLE fills AS FROM arrow")
        begun = time.process_time()
        con.execute(LIMIT)
        return time.process_time() - begun


def mart(orders: int, patients: int) -> tuple[float, float, float]:
    """CPU seconds of a clinic's whole mart, and CPU and wall seconds of a hundred touched patients of it."""
    clinic = large_clinic(patients, max(1, orders // patients))
    begun = time.process_time()
    build_adherence(clinic.con, "c1", AS_OF)
    full = time.process_time() - begun
    few = [f"p{number}" for number in range(0, patients, max(1, patients // 100))][:100]
    begun, wall = time.process_time(), time.perf_counter()
    build_adherence(clinic.con, "c1", AS_OF, patient_ids=related_patients(clinic.con, "c1", few))
    return full, time.process_time() - begun, time.perf_counter() - wall


def main() -> None:
    fills_wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rows_wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
    recommendations, fills = world(fills_wanted, rows_wanted)
    before = peak_mb()
    cpu = time.process_time()
    full = timed(recommendations, fills)
    cpu = time.process_time() - cpu
    peak = peak_mb()
    some = recommendations["patient_id"].drop_duplicates().head(100)
    few_rows = recommendations[recommendations["patient_id"].isin(some)]
    few_fills = fills[fills["patient_id"].isin(some)]
    few = timed(few_rows, few_fills)
    oracle_seconds = by_day(few_rows, few_fills)
    rows = recommendations["treatment_plan_id"].nunique()
    print(f"{len(fills):,} fills, {rows:,} rows: {full:.2f} s ({cpu:.2f} s CPU)", end="")
    print(f", peak {peak:,.0f} MiB ({before:,.0f} before)")
    least = limit(fills)
    print(f"limit, a scan, two windows and a group: {least:.2f} s CPU; measure() takes {cpu / least:.1f} times as long")
    print(f"100 patients ({len(few_rows)} doses, {len(few_fills)} fills): {few:.2f} s")
    print(f"the same 100 patients day by day: {oracle_seconds:.2f} s, {oracle_seconds / few:.0f} times as long")
    scaled = oracle_seconds * len(fills) / max(1, len(few_fills))
    print(f"day by day for all, by proportion: {scaled:,.0f} s, {scaled / full:,.0f} times as long")
    whole, touched, wall = mart(fills_wanted, rows_wanted)
    print(f"mart of {rows_wanted:,} patients: {whole:.2f} s CPU, {whole / least:.1f} times the limit")
    print(f"mart of 100 touched patients among them: {touched:.2f} s CPU, {wall:.2f} s")


if __name__ == "__main__":
    main()
