"""A warehouse of 1,000 invented people to make copies of, and what somebody who wants to find them knows.

What does not belong here: assertions.
"""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.publishing.publish import CopyOptions, Level, publish

PUBLISH_KEY, PIPELINE_KEY = "of the analysts 0123456789 abc", "of the pipeline 9876543210 xyz"
PEPPER = "Qm7vX2rT9wLk4Zp8sNd3Hf6Jc1Bg5Ya0UeRiOxKtVw"
RARE = ("rare-product", "Rare Remedy", "RARE-SKU-77", "rare-variant")

# Bought by everybody in turn, the higher the number the seldomer; a remedy that three people buy; one who buys most.
_WORLD = (
    "CREATE TEMP TABLE n AS SELECT i, (hash(i) >> 8)::BIGINT AS h FROM range($people) t(i)",
    """INSERT INTO core.clinics (clinic_id, clinic_key, region, name)
        SELECT 'clinic-' || i, 'key-' || i, CASE WHEN i = 3 THEN 'ca' ELSE 'us' END, 'Clinic ' || i
        FROM range(5) t(i)""",
    """INSERT INTO core.patients (clinic_id, patient_id, first_name, last_name, email, date_of_birth, gender)
        SELECT 'clinic-' || CASE WHEN i < 3 THEN 4 ELSE i % 4 END, printf('pat-%06d', i), 'Canaryfirst', 'Canarylast',
            'canary' || i || '@example.org', CASE WHEN h % 50 > 0 THEN '1928-01-15'::DATE + (h % 33000)::INTEGER END,
            CASE WHEN i = 17 THEN 'CanaryText' ELSE ['female', 'male', 'x', NULL][[1, 1, 2, 2, 3, 4][1 + h % 6]] END
        FROM n""",
    """INSERT INTO history.products (region, product_id, name, valid_from)
        SELECT region, 'product-' || i, 'Product ' || i, '2024-01-01'
        FROM range(40) t(i), (VALUES ('us'), ('ca')) r(region)
        UNION ALL VALUES ('us', 'rare-product', 'Rare Remedy', '2026-05-05'::TIMESTAMPTZ)""",
    """INSERT INTO history.variants (region, variant_id, product_id, sku, valid_from)
        SELECT region, 'variant-' || i, 'product-' || (i // 2), 'SKU-' || i, '2024-01-01'
        FROM range(80) t(i), (VALUES ('us'), ('ca')) r(region)
        UNION ALL VALUES ('us', 'rare-variant', 'rare-product', 'RARE-SKU-77', '2026-05-05'::TIMESTAMPTZ)""",
    """INSERT INTO core.orders (clinic_id, order_id, order_number, patient_id, completed_at, completed_on,
            treatment_plan_ids, is_refunded)
        SELECT clinic_id, printf('ord-%06d-%d', i, o), 'R' || (100000000 + 100 * i + o), patient_id, moment,
            moment::DATE, [printf('plan-%06d', i)], hash(i, o) % 40 = 0
        FROM n JOIN core.patients ON patient_id = printf('pat-%06d', i), range(60) t(o),
            (SELECT '2024-01-03 08:00:00+00'::TIMESTAMPTZ AS zero),
            (SELECT zero + to_seconds((hash(i, o, 1) % 90_000_000)::BIGINT) AS moment)
        WHERE o < CASE WHEN i = 500 THEN 60 ELSE 1 + h % 6 END""",
    """INSERT INTO core.order_line_items (clinic_id, order_id, position, variant_id, quantity, line_type)
        SELECT clinic_id, order_id, p, 'variant-' || ((hash(order_id, p) % 80) * (hash(order_id, p, 1) % 80)) // 80,
            1 + hash(order_id, p) % 9, 'supplement' FROM core.orders, range(2) t(p)
        UNION ALL SELECT clinic_id, min(order_id), 9, 'rare-variant', 1, 'supplement' FROM core.orders
        WHERE patient_id IN ('pat-000101', 'pat-000202', 'pat-000304') GROUP BY clinic_id, patient_id""",
    """INSERT INTO history.treatment_plans (clinic_id, treatment_plan_id, patient_id, practitioner_id, state,
            available_at, created_at, created_on, valid_from)
        SELECT clinic_id, printf('plan-%06d', i), patient_id, 'doc-' || i % 7, 'active', moment::DATE, moment,
            moment::DATE, moment
        FROM n JOIN core.patients ON patient_id = printf('pat-%06d', i),
            (SELECT '2024-02-01 10:00:00+00'::TIMESTAMPTZ + to_days((h % 1000)::INTEGER) AS moment)""",
    """INSERT INTO history.recommendations (clinic_id, treatment_plan_id, position, variant_id, refill, valid_from)
        SELECT clinic_id, treatment_plan_id, p, 'variant-' || hash(treatment_plan_id, p) % 20, true, valid_from
        FROM history.treatment_plans, range(2) t(p)""",
)


def fill_with_people(warehouse: Warehouse, people: int = 1000) -> None:
    with warehouse.write() as con:
        for sql in _WORLD:
            con.execute(sql, {"people": people} if "$people" in sql else None)
        con.execute("DROP TABLE temp.n")


class Copy:
    """A copy as its reader has it."""

    def __init__(self, path: Path, key: str = PUBLISH_KEY) -> None:
        self._file = Warehouse(path, key, temp_dir=path.parent)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._file.read_unlocked() as con:
            return con.execute(sql).fetchall()

    def every_value(self) -> set[str]:
        """All that stands in any cell, as text."""
        with self._file.read_unlocked() as con:
            return {str(cell) for table in tables_of(con) for row in rows_of(con, table) for cell in row}

    def columns(self) -> dict[str, dict[str, str]]:
        """Table, column and type, `copy_info` aside."""
        columns_by_table: dict[str, dict[str, str]] = {}
        sql = """SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns()
            JOIN duckdb_tables() USING (database_name, schema_name, table_name)
            WHERE database_name = 'warehouse' AND table_name <> 'copy_info' ORDER BY ALL"""
        for table, column, kind in self.rows(sql):
            columns_by_table.setdefault(table, {})[column] = kind
        return columns_by_table


def tables_of(con: duckdb.DuckDBPyConnection) -> list[str]:
    sql = "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database()"
    return [table for (table,) in con.execute(sql).fetchall()]


def rows_of(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    return con.execute(f"SELECT * FROM {table}").fetchall()


def copy_of(settings: Settings, warehouse: Warehouse, place: Path, level: Level, **options: Any) -> Copy:
    """A copy that stays where it is when the next one is made."""
    published = publish(settings, warehouse, CopyOptions(level=level, **options))
    place.parent.mkdir(exist_ok=True)
    return Copy(Path(published.address).rename(place))


def with_secrets(settings: Settings, pepper: str | None = None) -> Settings:
    return settings.model_copy(
        update={"publish_key": PUBLISH_KEY, "encryption_key": PIPELINE_KEY, "publish_pepper": pepper}
    )


def ids_by_dictionary(people: int, secrets: tuple[str, ...]) -> Iterator[str]:
    """What a reader who has these secrets makes of every true id, in every way that is known or obvious."""
    ids = [f"pat-{n:06d}" for n in range(people)]
    where = [f"clinic-{4 if n < 3 else n % 4}" for n in range(people)]
    derived = {hmac.new(one.encode(), b"published ids", hashlib.sha256).hexdigest() for one in secrets}
    for secret in (*secrets, *derived):
        for clinic, one in zip(where, ids, strict=True):
            yield hashlib.sha256(f"{secret}|{one}".encode()).hexdigest()
            yield hashlib.sha256(f"{secret}|patient|{clinic}|{one}".encode()).hexdigest()
            yield hmac.new(secret.encode(), one.encode(), hashlib.sha256).hexdigest()
            yield hashlib.sha256(one.encode()).hexdigest()
