"""How fast the adherence engine is: a full recompute, a hundred patients, and the ratio to the day-by-day oracle.

PYTHONPATH=. python benchmarks/adherence.py [FILLS] [ROWS]
"""

import sys
import time
from collections.abc import Hashable
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from peak_memory import peak_mb

from fullscript_pipeline.adherence import measure
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
        one = adherence_oracle.Fill(fill["filled_on"].date(), Fraction(fill["units"]))
        bought.setdefault((fill["patient_id"], fill["product_id"]), []).append(one)
    for key, pool in recommendations.groupby(["patient_id", "product_id"]):
        plans = [_plan(versions.to_dict("records")) for _, versions in pool.groupby("treatment_plan_id")]
        adherence_oracle.pool_figures(plans, bought.get(key, []), AS_OF)
    return time.perf_counter() - begun


def _plan(versions: list[dict[Hashable, Any]]) -> adherence_oracle.Plan:
    first = versions[0]
    doses = [
        adherence_oracle.Dose(
            one["dose_from"].date(), Fraction(one["units_per_day_min"]), Fraction(one["units_per_day_max"])
        )
        for one in versions
    ]
    end = None if pd.isna(first["end"]) else first["end"].date()
    return adherence_oracle.Plan(first["treatment_plan_id"], first["start"].date(), end, tuple(doses))


def timed(recommendations: pd.DataFrame, fills: pd.DataFrame) -> float:
    begun = time.perf_counter()
    measure(recommendations, fills, AS_OF)
    return time.perf_counter() - begun


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
    print(f"100 patients ({len(few_rows)} doses, {len(few_fills)} fills): {few:.2f} s")
    print(f"the same 100 patients day by day: {oracle_seconds:.2f} s, {oracle_seconds / few:.0f} times as long")
    scaled = oracle_seconds * len(fills) / max(1, len(few_fills))
    print(f"day by day for all, by proportion: {scaled:,.0f} s, {scaled / full:,.0f} times as long")


if __name__ == "__main__":
    main()
