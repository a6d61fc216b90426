"""The floor: what a careful person writes by hand in an hour. httpx, orjson, Arrow, an upsert a page; nothing else.

It has no landing, no raw JSON, no hash, no history, no lock, no budget, no checkpoint, no retry and no check of types.

python benchmarks/ingest_floor.py URL DATABASE
"""

import sys
from collections.abc import Callable
from typing import Any

import duckdb
import httpx
import orjson
import pyarrow as pa
from ingest_measure import Measured

Row = dict[str, Any]

ORDERS = pa.schema(
    [
        ("order_id", pa.string()), ("order_number", pa.string()), ("patient_id", pa.string()),
        ("completed_at", pa.string()), ("treatment_plan_ids", pa.list_(pa.string())), ("state", pa.string()),
    ]
)  # fmt: skip
LINES = pa.schema(
    [("order_id", pa.string()), ("position", pa.int64()), ("variant_id", pa.string()), ("quantity", pa.int64()),
     ("line_type", pa.string())]
)  # fmt: skip
PATIENTS = pa.schema(
    [
        ("patient_id", pa.string()), ("first_name", pa.string()), ("last_name", pa.string()), ("email", pa.string()),
        ("date_of_birth", pa.string()), ("gender", pa.string()), ("discount", pa.int64()),
        ("total_discount", pa.int64()), ("mobile_number", pa.string()), ("text_message_notification", pa.bool_()),
        ("archived", pa.bool_()), ("is_dependent", pa.bool_()), ("guardian_patient_id", pa.string()),
    ]
)  # fmt: skip
DDL = (
    "CREATE TABLE orders (order_id VARCHAR PRIMARY KEY, order_number VARCHAR, patient_id VARCHAR, "
    "completed_at TIMESTAMPTZ, treatment_plan_ids VARCHAR[], state VARCHAR)",
    "CREATE TABLE order_line_items (order_id VARCHAR, position BIGINT, variant_id VARCHAR, quantity BIGINT, "
    "line_type VARCHAR, PRIMARY KEY (order_id, position))",
    "CREATE TABLE patients (patient_id VARCHAR PRIMARY KEY, first_name VARCHAR, last_name VARCHAR, email VARCHAR, "
    "date_of_birth DATE, gender VARCHAR, discount BIGINT, total_discount BIGINT, mobile_number VARCHAR, "
    "text_message_notification BOOLEAN, archived BOOLEAN, is_dependent BOOLEAN, guardian_patient_id VARCHAR)",
)


def order_rows(records: list[Row]) -> list[tuple[str, pa.Table]]:
    orders = [{"order_id": one["id"], **{name: one[name] for name in ORDERS.names[1:]}} for one in records]
    lines = [
        {
            "order_id": one["id"],
            "position": position,
            "variant_id": line["variant_id"],
            "quantity": line["quantity"],
            "line_type": line["type"],
        }
        for one in records
        for position, line in enumerate(one["line_items"])
    ]
    return [
        ("orders", pa.Table.from_pylist(orders, ORDERS)),
        ("order_line_items", pa.Table.from_pylist(lines, LINES)),
    ]


def patient_rows(records: list[Row]) -> list[tuple[str, pa.Table]]:
    rows = [{"patient_id": one["id"], **{name: one[name] for name in PATIENTS.names[1:]}} for one in records]
    return [("patients", pa.Table.from_pylist(rows, PATIENTS))]


def pull(
    client: httpx.Client,
    con: duckdb.DuckDBPyConnection,
    url: str,
    key: str,
    rows: Callable[[list[Row]], list[tuple[str, pa.Table]]],
) -> None:
    page: int | None = 1
    while page:
        body = orjson.loads(client.get(f"{url}/{key}", params={"page[number]": page, "page[size]": 100}).content)
        con.execute("BEGIN")
        for table, arriving in rows(body[key]):
            con.register("arriving", arriving)
            con.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM arriving")
            con.unregister("arriving")
        con.execute("COMMIT")
        page = body["meta"]["next_page"]


def main(url: str, database: str) -> None:
    with Measured():
        con = duckdb.connect(database, config={"threads": "1"})
        con.execute("SET TimeZone = 'UTC'")
        if not con.execute("SELECT 1 FROM duckdb_tables()").fetchone():
            for statement in DDL:
                con.execute(statement)
        with httpx.Client(trust_env=False, headers={"Authorization": "Bearer x"}) as client:
            pull(client, con, url, "orders", order_rows)
            pull(client, con, url, "patients", patient_rows)
        con.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
