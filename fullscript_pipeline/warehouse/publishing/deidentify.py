"""A de-identified copy, after 45 CFR 164.514(b)(2): who bought, and was recommended, which product in which year.

Years are the only dates, ids are random bytes drawn for this copy, and a clinic is a code. The copy holds nothing else
about a patient: no order number, basket, time, quantity or price, no practitioner, no plan. Values that fewer than k
patients share are suppressed (`k_anonymity`), and the catalog holds only the remaining products. Removed rows are not
in the copy. What does not belong here: the file and its key (`publish`), the list of columns (`published_columns`).
"""

import os
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.warehouse.publishing import k_anonymity
from fullscript_pipeline.warehouse.publishing.published_columns import DEIDENTIFIED, gender_word

_PEOPLE = f"""
    CREATE TEMP TABLE people AS SELECT
        row_number() OVER (ORDER BY clinic_id, patient_id)::INTEGER AS pid,
        dense_rank() OVER (ORDER BY patient_id)::INTEGER AS person, clinic_id, patient_id,
        year(date_of_birth)::INTEGER AS birth_year, coalesce({gender_word("gender")}, 'unknown') AS gender
    FROM warehouse.core.patients WHERE removed_at IS NULL"""
# A line whose product is not in the catalog counts as its variant, as in the marts.
_PACKS = """
    CREATE TEMP TABLE packs AS SELECT (dense_rank() OVER (ORDER BY region, product_id))::INTEGER AS product, *
    FROM (
        SELECT DISTINCT c.region, l.variant_id, coalesce(v.product_id, 'variant:' || l.variant_id) AS product_id
        FROM (
            SELECT DISTINCT clinic_id, variant_id FROM warehouse.core.order_line_items
            UNION SELECT DISTINCT clinic_id, variant_id FROM warehouse.core.recommendations
        ) l LEFT JOIN warehouse.core.clinics c USING (clinic_id)
        LEFT JOIN warehouse.core.variants v ON v.region = c.region AND v.variant_id = l.variant_id
        WHERE l.variant_id IS NOT NULL
    )"""
_BOUGHT = """
    SELECT clinic_id, o.patient_id, l.variant_id, hash(order_id) AS occasion,
        year(coalesce(o.completed_on, o.completed_at::DATE))::INTEGER AS year
    FROM warehouse.core.orders o JOIN warehouse.core.order_line_items l USING (clinic_id, order_id)
    WHERE o.removed_at IS NULL AND l.removed_at IS NULL AND o.is_refunded IS NOT TRUE"""
_RECOMMENDED = """
    SELECT clinic_id, p.patient_id, r.variant_id, hash(treatment_plan_id) AS occasion,
        year(coalesce(p.available_at, p.created_on))::INTEGER AS year
    FROM warehouse.core.treatment_plans p JOIN warehouse.core.recommendations r USING (clinic_id, treatment_plan_id)
    WHERE p.removed_at IS NULL AND r.removed_at IS NULL AND p.state IS DISTINCT FROM 'draft'"""
SOURCES = {"purchases": _BOUGHT, "recommendations": _RECOMMENDED}
# Numbers only, so that a million orders fit into memory.
_FACTS = "CREATE TEMP TABLE facts (source VARCHAR, pid INTEGER, product INTEGER, year INTEGER, times INTEGER)"
_FACTS_OF = """
    INSERT INTO facts SELECT '{source}', pid, product, year, count(*) FROM (
        SELECT DISTINCT p.pid, k.product, f.year, f.occasion
        FROM ({sql}) f JOIN people p USING (clinic_id, patient_id) LEFT JOIN warehouse.core.clinics c USING (clinic_id)
        JOIN packs k ON k.variant_id = f.variant_id AND k.region IS NOT DISTINCT FROM c.region
        WHERE f.year <= $through
    ) GROUP BY ALL"""
_GOODS = """
    CREATE TEMP TABLE goods AS SELECT DISTINCT product, region, product_id FROM packs
    WHERE product IN (SELECT product FROM facts)"""
_TEMP = ("people", "packs", "facts", "goods", "people_codes", "clinic_codes")
# The queries of the copy's tables; `published_columns` selects their columns.
_WRITTEN = {
    "core.clinics": """SELECT code AS clinic_id, region FROM clinic_codes LEFT JOIN warehouse.core.clinics
        USING (clinic_id)""",
    "core.patients": """SELECT c.code AS clinic_id, p.code AS patient_id, birth_years, gender
        FROM people JOIN people_codes p USING (pid) JOIN clinic_codes c USING (clinic_id)""",
    **{
        f"core.{source}": f"""SELECT c.code AS clinic_id, p.code AS patient_id, product_id, year, repeated
            FROM facts JOIN goods USING (product) JOIN people USING (pid) JOIN people_codes p USING (pid)
            JOIN clinic_codes c USING (clinic_id) WHERE source = '{source}'"""
        for source in SOURCES
    },
    "core.products": """SELECT g.region, g.product_id, p.name, b.name AS brand_name
        FROM goods g
        LEFT JOIN warehouse.core.products p USING (region, product_id)
        LEFT JOIN warehouse.core.brands b USING (region, brand_id)""",
}


class EmptyCopy(PipelineError):
    """The copy would hold nobody, or only people who could be singled out."""


@dataclass(frozen=True, kw_only=True)
class Deidentified:
    """The content of a copy and what was suppressed; `k_reached` is counted in the copy itself.

    `facts`: rows of purchases and recommendations. `patients_without_years`: patients without a row in these years.
    `patients_standing_alone`: patients that a reader could identify who knows clinic, birth years, gender and one of
    these rows together.
    """

    k: int
    k_reached: int
    birth_band_years: int | None
    through_year: int
    patients: int
    patients_suppressed: int
    patients_without_years: int
    facts: int
    facts_suppressed: int
    patients_standing_alone: int


def write_deidentified(
    con: duckdb.DuckDBPyConnection, k: int, this_year: int, *, with_current_year: bool
) -> Deidentified:
    """Fills the empty file `target` from `warehouse`. Raises EmptyCopy if nobody would be in it."""
    _drop_temp(con)
    try:
        listed, through = _stage(con, this_year, with_current_year=with_current_year)
        people, facts = _count(con, "people"), _count(con, "facts")
        band_years = k_anonymity.suppress(con, k, this_year)
        if not (people_left := _count(con, "people")):
            raise EmptyCopy(
                f"No copy was written: none of the {people} patients shares clinic, birth years and gender with "
                f"{k - 1} others; pull more of them, or ask for a lower k."
            )
        facts_left = _count(con, "facts")
        _write(con)
        return Deidentified(
            k=k,
            k_reached=_reached(con, k),
            birth_band_years=band_years,
            through_year=through,
            patients=people_left,
            patients_suppressed=people - people_left,
            patients_without_years=listed - people,
            facts=facts_left,
            facts_suppressed=facts - facts_left,
            patients_standing_alone=k_anonymity.count_standing_alone(con),
        )
    finally:
        _drop_temp(con)


def _stage(con: duckdb.DuckDBPyConnection, this_year: int, *, with_current_year: bool) -> tuple[int, int]:
    """Makes the temp tables; returns the number of patients and the last year of the copy.

    The current year is left out, with patients who have rows in no other year: the difference of two copies of one year
    would show what happened between them. If there is no earlier year, the current one is used.
    """
    con.execute(_PEOPLE)
    con.execute(_PACKS)
    con.execute(_FACTS)
    listed = _count(con, "people")
    through = this_year if with_current_year else this_year - 1
    _add_facts(con, through)
    if through < this_year and not _count(con, "facts"):
        through = this_year
        _add_facts(con, through)
    if through < this_year:
        con.execute("DELETE FROM people WHERE pid NOT IN (SELECT pid FROM facts)")
    return listed, through


def _add_facts(con: duckdb.DuckDBPyConnection, through: int) -> None:
    for source, sql in SOURCES.items():
        con.execute(_FACTS_OF.format(source=source, sql=sql), {"through": through})


def _write(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE SCHEMA target.core")
    con.execute(_GOODS)
    _draw_codes(con, "people_codes", "SELECT pid FROM people")
    _draw_codes(con, "clinic_codes", "SELECT DISTINCT clinic_id FROM people")
    for table, columns in DEIDENTIFIED.items():
        con.execute(f"CREATE TABLE target.{table} AS SELECT {', '.join(columns)} FROM ({_WRITTEN[table]}) ORDER BY ALL")


def _draw_codes(con: duckdb.DuckDBPyConnection, table: str, sql: str) -> None:
    """Makes `table`: each row of the query with a `code` of 80 random bits, as 20 hexadecimal digits."""
    number = int(con.execute(f"SELECT count(*) FROM ({sql})").fetchall()[0][0])
    drawn = pa.FixedSizeBinaryArray.from_buffers(pa.binary(10), number, [None, pa.py_buffer(os.urandom(10 * number))])
    con.register("drawn", pa.table({"bytes": drawn}))
    try:
        con.execute(
            f"""CREATE TEMP TABLE {table} AS
            SELECT numbered.* EXCLUDE (n), code FROM (SELECT *, row_number() OVER () AS n FROM ({sql})) numbered
            JOIN (SELECT lower(hex(bytes)) AS code, row_number() OVER () AS n FROM drawn) USING (n)"""
        )
    finally:
        con.unregister("drawn")


def _reached(con: duckdb.DuckDBPyConnection, k: int) -> int:
    """The smallest number of patients that share a value, counted in the copy. Raises EmptyCopy below k."""
    people = "target.core.patients"
    shares = [f"SELECT count(DISTINCT patient_id) AS n FROM {people} GROUP BY clinic_id, birth_years, gender"]
    for source in SOURCES:
        table = f"target.core.{source}"
        shares += [
            f"SELECT count(DISTINCT patient_id) FROM {table} GROUP BY product_id, year, repeated",
            f"SELECT count(DISTINCT patient_id) FROM {table} JOIN {people} USING (clinic_id, patient_id) "
            "GROUP BY clinic_id, birth_years, gender",
        ]
    reached = int(con.execute(f"SELECT min(n) FROM ({' UNION ALL '.join(shares)})").fetchall()[0][0])
    if reached < k:
        raise EmptyCopy(
            f"No copy was written: it would single out {reached} where {k} were asked for; please report this."
        )
    return reached


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def _drop_temp(con: duckdb.DuckDBPyConnection) -> None:
    for table in _TEMP:
        con.execute(f"DROP TABLE IF EXISTS temp.{table}")
