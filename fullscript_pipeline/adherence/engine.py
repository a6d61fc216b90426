"""The adherence engine: set-based SQL over whole numbers, in temporary tables of the caller's connection.

The definition is the day-by-day stock of the method's section 4; the algorithm is its closed form (section 10): on an
axis of units needed, supply bought up to a fill lasts until a running sum plus a running maximum. What does not belong
here: where rows, doses and fills come from (frames.py, mart.py) and what is done with the results.
"""

from datetime import date
from importlib.resources import files

import duckdb

from fullscript_pipeline.settings import AdherencePolicy

_STEPS = ("1_windows", "2_doses", "3_segments", "4_supply", "5_coverage")
# Only pages want the arithmetic of each dose.
_PERIODS = "5_dose_periods"
_LAST_STEPS = ("6_gaps", "7_measures", "8_status")
# Inputs beyond these make a row out_of_bounds (sql/engine_3_segments.sql says why).
LARGEST_FILL = 10**10
LARGEST_INTEGER = 2**63 - 1


def sql_text(name: str) -> str:
    """The text of fullscript_pipeline/adherence/sql/<name>.sql."""
    return files("fullscript_pipeline.adherence").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def set_policy(con: duckdb.DuckDBPyConnection, as_of: date, policy: AdherencePolicy) -> None:
    """Write the one-row table `adh_policy`; `as_of` is exclusive, the first day that does not count. And the macro
    `adh_plausible`: a date that somebody can mean, else NULL."""
    con.execute(
        "CREATE OR REPLACE TEMP MACRO adh_plausible(a_date, as_of) AS "
        "CASE WHEN a_date BETWEEN DATE '2000-01-01' AND as_of + INTERVAL 5 YEARS THEN a_date END"
    )
    con.execute(
        """
        CREATE OR REPLACE TEMP TABLE adh_policy AS
        SELECT
            ?::DATE AS as_of, ?::HUGEINT AS threshold_num, ?::HUGEINT AS threshold_den,
            ?::INTEGER AS permissible_gap_days, ?::INTEGER AS never_ordered_days,
            ?::INTEGER AS delivery_lag_days, ?::INTEGER AS minimum_window_days,
            ?::INTEGER AS due_soon_days, ?::INTEGER AS late_days, ?::INTEGER AS long_gap_days
        """,
        [
            as_of,
            policy.threshold.numerator,
            policy.threshold.denominator,
            policy.permissible_gap_days,
            policy.never_ordered_days,
            policy.delivery_lag_days,
            policy.minimum_window_days,
            policy.due_soon_days,
            policy.late_days,
            policy.long_gap_days,
        ],
    )


def run(con: duckdb.DuckDBPyConnection, *, dose_periods: bool = False) -> None:
    """From adh_rows, adh_doses, adh_fills and adh_policy to adh_results (a row per row_id) and adh_gaps.

    With `dose_periods` also to adh_dose_periods: each window cut where the dose in force changes.

    Input tables (temporary, made by the caller):
      adh_rows   row_id, pool_id, start_on, stop_on (exclusive, NULL: open), course_end (exclusive, NULL: open-ended),
                 ended_by ('cancelled', 'removed' before as_of, or NULL), refill, units_to_purchase, measurable (why
                 the row cannot be measured whatever its doses, else NULL), has_implausible_date (a date that
                 nobody can mean was left out), has_unread_refill (the refill or the packs to buy could not be read),
                 has_undated_order (an order of the pool has no date and is no fill), has_naming_order (an order
                 names the plan, and nobody knows that it is this patient's), has_unread_length (the course has an
                 end, and its length could not be read). Of two rows with one start the
                 larger row_id counts as the later plan.
      adh_doses  row_id, dose_from (one per row and date), min_num, min_den, max_num, max_den (units per day as
                 fractions, NULL where unknown), problem (why unknown)
      adh_fills  pool_id, filled_on, num, den (units of the fill as a fraction, NULL: unknown), packs, orders,
                 is_valid (false: a quantity that is no purchase), is_shared (of an order for several people: none to
                 all of it), is_too_large
    """
    for step in (*_STEPS, *((_PERIODS,) if dose_periods else ()), *_LAST_STEPS):
        con.execute(sql_text(f"engine_{step}"))


def drop(con: duckdb.DuckDBPyConnection) -> None:
    """Drop every temporary table of the engine and its callers: they hold a clinic's data and memory.

    After an error there is nothing to drop: the caller's transaction rolls the tables back.
    """
    rows = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE temporary AND starts_with(table_name, 'adh_')"
    ).fetchall()
    for (name,) in rows:
        con.execute(f'DROP TABLE temp."{name}"')
