"""Suppresses values of people, and of what they bought, that fewer than k of them share.

It works on two temp tables of a connection: `people` (pid, person, clinic_id, birth_year, gender) and `facts` (source,
pid, product, year, times). A person may be a patient of several clinics, and counts once. At least k people must share:

* `people`: clinic, birth years and gender. Birth years are first widened to bands; people who still share them with too
  few others are removed with all their facts;
* `facts`, for each source: product and year; clinic, birth years and gender, because a reader who knows that somebody
  bought anything searches among the buyers only; and the number of facts: nobody has more facts than k people have.

A rule removes only what breaks it, and the rules are repeated until nothing does: rows that satisfy them are never
removed, and equal tables always lose the same rows. What does not belong here: what a fact is (`deidentify`).
"""

import duckdb

# Each band consists of complete bands of the width before. The start never changes: two copies with different starts
# would reveal more than each alone.
BAND_WIDTHS: tuple[int | None, ...] = (1, 5, 10, 20, 40, None)
OLDEST_EXACT_AGE = 89
# Wider bands blur the age of everybody; suppression removes rare people and rows. Narrow bands are used if they remove
# at most this share of the people, and leave at least this share of the facts that a single band would leave.
_MAY_GO_PERCENT, _MUST_STAY_PERCENT = 10, 75

_RARE_PEOPLE = """
    DELETE FROM people USING (
        SELECT clinic_id, birth_years, gender FROM people GROUP BY ALL HAVING count(DISTINCT person) < $k
    ) AS rare
    WHERE people.clinic_id = rare.clinic_id AND people.birth_years = rare.birth_years AND people.gender = rare.gender"""
_RARE_PRODUCT_YEAR = """
    DELETE FROM facts USING (
        SELECT source, product, year FROM facts JOIN people USING (pid)
        GROUP BY ALL HAVING count(DISTINCT person) < $k
    ) AS rare
    WHERE facts.source = rare.source AND facts.product = rare.product AND facts.year = rare.year"""
_RARE_CLASS = """
    DELETE FROM facts USING (
        SELECT source, pid FROM people JOIN (
            SELECT source, clinic_id, birth_years, gender FROM facts JOIN people USING (pid)
            GROUP BY ALL HAVING count(DISTINCT person) < $k
        ) AS class USING (clinic_id, birth_years, gender)
    ) AS rare
    WHERE facts.source = rare.source AND facts.pid = rare.pid"""
_RARE_NUMBER = """
    WITH placed AS (
        SELECT facts.rowid AS fact, source, person,
            row_number() OVER (PARTITION BY source, pid ORDER BY product, year) AS place
        FROM facts JOIN people USING (pid)
    ), rare AS (SELECT source, place FROM placed GROUP BY ALL HAVING count(DISTINCT person) < $k)
    DELETE FROM facts WHERE rowid IN (SELECT fact FROM placed JOIN rare USING (source, place))"""


def suppress(con: duckdb.DuckDBPyConnection, k: int, this_year: int) -> int | None:
    """Suppresses as the module's docstring says; returns the years per band (None: one band for all).

    Adds the column `birth_years` to `people` and `repeated` to `facts`. Ages over 89 are always one class.
    """
    chosen = _narrowest_bands(con, k, this_year)
    _suppress_in_bands(con, k, _band(chosen, this_year))
    _mark_repeats(con, k)
    return chosen


def _narrowest_bands(con: duckdb.DuckDBPyConnection, k: int, this_year: int) -> int | None:
    people, most = (_number(con, f"SELECT count(*) FROM {table}") for table in ("people", "facts"))
    none = _band(None, this_year)
    may_go, is_most_known = max(people * _MAY_GO_PERCENT // 100, _going(con, k, none)), False
    for width in BAND_WIDTHS:
        band = _band(width, this_year)
        if width is None or _going(con, k, band) > may_go:
            continue
        left = _facts_left(con, k, band)
        if left * 100 < most * _MUST_STAY_PERCENT and not is_most_known:
            most, is_most_known = _facts_left(con, k, none), True
        if left * 100 >= most * _MUST_STAY_PERCENT:
            return width
    return None


def _facts_left(con: duckdb.DuckDBPyConnection, k: int, band: str) -> int:
    """Counts the facts that would be left; nothing is removed."""
    con.execute("BEGIN")
    try:
        _suppress_in_bands(con, k, band)
        return _number(con, "SELECT count(*) FROM facts")
    finally:
        con.execute("ROLLBACK")


def _suppress_in_bands(con: duckdb.DuckDBPyConnection, k: int, band: str) -> None:
    con.execute("ALTER TABLE people ADD COLUMN birth_years VARCHAR")
    con.execute(f"UPDATE people SET birth_years = {band}")
    con.execute(_RARE_PEOPLE, {"k": k})
    con.execute("DELETE FROM facts WHERE pid NOT IN (SELECT pid FROM people)")
    # After a rule has removed rows, start again with the first: numbers of facts are cut only where the others hold.
    while any(_number(con, rule, k) for rule in (_RARE_PRODUCT_YEAR, _RARE_CLASS, _RARE_NUMBER)):
        pass


def _mark_repeats(con: duckdb.DuckDBPyConnection, k: int) -> None:
    """Sets `repeated`: more than once in the year; NULL where yes or no would single somebody out."""
    con.execute("ALTER TABLE facts ADD COLUMN repeated BOOLEAN")
    con.execute(
        """UPDATE facts SET repeated = facts.times > 1 FROM (
            SELECT source, product, year FROM facts JOIN people USING (pid) GROUP BY ALL
            HAVING count(DISTINCT person) FILTER (times > 1) NOT BETWEEN 1 AND $k - 1
                AND count(DISTINCT person) FILTER (times = 1) NOT BETWEEN 1 AND $k - 1
        ) AS shared
        WHERE facts.source = shared.source AND facts.product = shared.product AND facts.year = shared.year""",
        {"k": k},
    )


def count_standing_alone(con: duckdb.DuckDBPyConnection) -> int:
    """Counts the people that a reader could identify who knows clinic, birth years, gender and a product of a year."""
    return _number(
        con,
        """SELECT count(DISTINCT person) FROM (
            SELECT any_value(person) AS person FROM facts JOIN people USING (pid)
            GROUP BY source, product, year, clinic_id, birth_years, gender HAVING count(DISTINCT person) = 1)""",
    )


def _going(con: duckdb.DuckDBPyConnection, k: int, band: str) -> int:
    return _number(
        con,
        f"""SELECT coalesce(sum(people), 0) FROM (
            SELECT count(DISTINCT person) AS people FROM people GROUP BY clinic_id, {band}, gender)
        WHERE people < $k""",
        k,
    )


def _band(width: int | None, this_year: int) -> str:
    """SQL for the band of `birth_year`, as in `1980-1984`."""
    if width is None:
        return "'any'"
    over_89 = this_year - OLDEST_EXACT_AGE - 1
    first = f"(birth_year - birth_year % {width})"
    band = f"greatest({first}, {over_89 + 1}) || '-' || ({first} + {width - 1})"
    return (
        f"CASE WHEN birth_year IS NULL THEN 'unknown' WHEN birth_year <= {over_89} THEN '{over_89} or before' "
        f"ELSE {'birth_year::VARCHAR' if width == 1 else band} END"
    )


def _number(con: duckdb.DuckDBPyConnection, sql: str, k: int | None = None) -> int:
    return int(con.execute(sql, {} if k is None else {"k": k}).fetchall()[0][0])
