"""`measure`: the adherence engine on DataFrames, for notebooks and for checking. Never a second implementation.

What does not belong here: measures (sql/) and the warehouse (mart.py).
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fullscript_pipeline.adherence import engine
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.settings import AdherencePolicy

_KEY = ["patient_id", "treatment_plan_id", "product_id"]
_RECOMMENDATION_COLUMNS = [*_KEY, "start", "end", "dose_from", "units_per_day_min", "units_per_day_max"]
_FILL_COLUMNS = ["patient_id", "product_id", "filled_on", "units"]
# What the engine holds in memory, whatever the frames' size: so many pools in each thread.
POOLS_AT_A_TIME = 10_000
MOST_THREADS = 4
_Numbers = npt.NDArray[np.int64]


def measure(
    recommendations: pd.DataFrame, fills: pd.DataFrame, as_of: object, *, policy: AdherencePolicy | None = None
) -> pd.DataFrame:
    """Supply-based adherence of each patient, plan and product through the day before `as_of`.

    recommendations: patient_id, treatment_plan_id, product_id, start, end (exclusive, or missing: open), dose_from,
    units_per_day_min, units_per_day_max (numbers or fraction text; missing: unknown); one row per dose change.
    fills: patient_id, product_id, filled_on, units (missing: unknown; zero or less: ignored and flagged), and, where
    the frame has it, is_shared (ordered for several people: none to all of it is this patient's).
    Dates may be dates, timestamps or ISO text; a time of day or an offset is dropped, the date as written counts. A
    start, end or dose_from before 2000 (a start or dose_from also: more than 5 years after `as_of`) is none: the next
    known date counts, and the row has the flag implausible_date.

    One row per recommendation: its key, window_start, window_end (exclusive), window_days, the measures, status. What
    depends on the dose is at the highest dose (the lowest figure) unless its name says max or latest.
    Raises UsageError for a missing column, start or filled_on, and for a date that cannot be read.
    """
    _require(recommendations, _RECOMMENDATION_COLUMNS, "recommendations", "start")
    _require(fills, _FILL_COLUMNS, "fills", "filled_on")
    day = calendar_date(as_of)
    if day is None:
        raise UsageError("as_of is missing; give the first day that does not count, like 2026-11-23.")
    pools, fill_pools = _pool_numbers(recommendations, fills)
    frames = _Frames(
        recommendations=_recommendation_table(recommendations, pools),
        fills=_fill_table(fills, fill_pools),
        day=day,
        policy=policy or AdherencePolicy(),
    )
    # Pools are independent, and DuckDB works outside the interpreter's lock: they are measured side by side.
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, MOST_THREADS)) as threads:
        results = pd.concat(threads.map(frames.measure_pools, range(0, pools.max(initial=0) + 1, POOLS_AT_A_TIME)))
    return _with_keys(results.sort_values("line", ignore_index=True), recommendations)


@dataclass(frozen=True, kw_only=True)
class _Frames:
    """Both frames as Arrow tables, with pool numbers."""

    recommendations: pa.Table
    fills: pa.Table
    day: date
    policy: AdherencePolicy

    def measure_pools(self, first: int) -> pd.DataFrame:
        """The results of POOLS_AT_A_TIME pools, from number `first` on."""
        with duckdb.connect(":memory:", config={"threads": 1}) as con:
            engine.set_policy(con, self.day, self.policy)
            con.register("adh_recommendation_frame", self.recommendations)
            con.register("adh_fill_frame", self.fills)
            con.execute("SET VARIABLE adh_first_pool = ?", [first])
            con.execute("SET VARIABLE adh_end_pool = ?", [first + POOLS_AT_A_TIME])
            con.execute(engine.sql_text("frames_input"))
            engine.run(con)
            return con.execute(engine.sql_text("frames_output")).df()


def _with_keys(results: pd.DataFrame, recommendations: pd.DataFrame) -> pd.DataFrame:
    """The keys as they were given, so that results join with the caller's frames; flags as tuples."""
    keys = recommendations[_KEY].iloc[results.pop("line")].reset_index(drop=True)
    texts = results["flags"]
    results["flags"] = texts.map({text: tuple(text.split()) for text in texts.unique()})
    return pd.concat([keys, results], axis=1)


def calendar_date(value: object) -> date | None:
    """The date as written in the value's own offset; None for a missing one. Raises UsageError when it is none."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else calendar_date(value.astype("datetime64[us]").item())
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        raise UsageError(f"{value!r} is not a date; write dates like 2026-11-22.") from None


def exact(value: object) -> Fraction | None:
    """A number or a fraction text as an exact fraction; None for a missing value or one that is not a number.

    A float counts as the simplest fraction that reads back as the same float (1/3 stays one third).
    """
    if value is None or value is pd.NA:
        return None
    try:
        if isinstance(value, (float, np.floating)):
            simple = Fraction(float(value)).limit_denominator(10**6)
            return simple if float(simple) == float(value) else Fraction(repr(float(value)))
        if isinstance(value, (int, np.integer)):
            return Fraction(int(value))
        return Fraction(value if isinstance(value, (Fraction, Decimal)) else str(value).strip())
    except (ValueError, OverflowError, ZeroDivisionError):
        return None


def _require(frame: object, columns: Sequence[str], name: str, date_column: str) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(f"{name} is not a DataFrame; give one with the columns {', '.join(columns)}.")
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise UsageError(f"The {name} frame has no column {', '.join(missing)}; it needs {', '.join(columns)}.")
    undated = np.flatnonzero(frame[date_column].isna())
    if len(undated):
        raise UsageError(f"The {name} frame has no {date_column} in row {undated[0]}; give one or leave the row out.")


def _pool_numbers(recommendations: pd.DataFrame, fills: pd.DataFrame) -> tuple[_Numbers, _Numbers]:
    """The pool (patient and product) of each recommendation, from 0 on, and of each fill; -1: of none of them.

    An order without its patient is nobody's, also not a patient's whose id is missing.
    """
    patient, buyer = _codes(recommendations["patient_id"], fills["patient_id"])
    product, bought = _codes(recommendations["product_id"], fills["product_id"])
    width = max(product.max(initial=0), bought.max(initial=0)) + 2
    pools, pool_of_row = np.unique((patient + 1) * width + product + 1, return_inverse=True)
    if not len(pools):
        return pool_of_row, np.full(len(fills), -1)
    pair = (buyer + 1) * width + bought + 1
    place = np.searchsorted(pools, pair).clip(max=len(pools) - 1)
    return pool_of_row, np.where((pools[place] == pair) & (buyer >= 0) & (bought >= 0), place, -1)


def _codes(*columns: "pd.Series[Any]") -> list[_Numbers]:
    """A whole number for each different id of the columns, -1 for a missing one. 1, 1.0 and "1" are one id."""
    numbers: dict[str, int] = {}
    codes = []
    for column in columns:
        places, distinct = pd.factorize(column.to_numpy(dtype=object) if column.dtype == object else column)
        known = [numbers.setdefault(_id_text(value), len(numbers)) for value in distinct]
        codes.append(np.array([*known, -1], dtype=np.int64)[places])
    return codes


def _id_text(value: object) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _recommendation_table(frame: pd.DataFrame, pools: _Numbers) -> pa.Table:
    columns: dict[str, Any] = {"line": pa.array(np.arange(len(frame))), "pool_id": pa.array(pools)}
    columns["treatment_plan_id"] = _mapped(frame["treatment_plan_id"], _id_text, pa.string()).fill_null("")
    columns |= {name: _dates(frame[name]) for name in ("start", "end", "dose_from")}
    for bound in ("min", "max"):
        columns[f"{bound}_num"], columns[f"{bound}_den"] = _fractions(frame[f"units_per_day_{bound}"])
    return pa.table(columns)


def _fill_table(frame: pd.DataFrame, pools: _Numbers) -> pa.Table:
    num, den = _fractions(frame["units"])
    no = pa.array(np.zeros(len(frame), dtype=bool))
    return pa.table(
        {
            "pool_id": pa.array(pools),
            "filled_on": _dates(frame["filled_on"]),
            "num": num,
            "den": den,
            "is_shared": frame["is_shared"].fillna(False).astype(bool) if "is_shared" in frame else no,
        }
    )


def _dates(column: "pd.Series[Any]") -> pa.Array:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        wall = column.dt.tz_localize(None)
        return pa.array(wall.to_numpy().astype("datetime64[D]"))
    return _mapped(column, calendar_date, pa.date32())


def _fractions(column: "pd.Series[Any]") -> tuple[pa.Array, pa.Array]:
    """Numerators and denominators. A value too long for the engine becomes a numerator it calls out of bounds."""

    def numerator(value: object) -> int | None:
        fraction = exact(value)
        if fraction is None:
            return None
        return engine.LARGEST_INTEGER if _is_too_long(fraction) else fraction.numerator

    def denominator(value: object) -> int | None:
        fraction = exact(value)
        return None if fraction is None else 1 if _is_too_long(fraction) else fraction.denominator

    return _mapped(column, numerator, pa.int64()), _mapped(column, denominator, pa.int64())


def _is_too_long(fraction: Fraction) -> bool:
    return abs(fraction.numerator) > engine.LARGEST_INTEGER or fraction.denominator > engine.LARGEST_INTEGER


def _mapped(column: "pd.Series[Any]", convert: Callable[[Any], object], kind: pa.DataType) -> pa.Array:
    """Convert each distinct value once: ids, dates and pack sizes repeat."""
    codes, distinct = pd.factorize(column.to_numpy(dtype=object) if column.dtype == object else column)
    converted: list[object] = [convert(value) for value in distinct]
    missing = codes < 0
    values = pa.array(converted, type=kind)
    return values.take(pa.array(codes, mask=missing))
