"""Warehouses as released versions left them: frozen tables and views, and rows that an upgrade must keep."""

import signal
import subprocess
import sys
from pathlib import Path

import duckdb

from fullscript_pipeline.warehouse.connection import Warehouse

RELEASED = (1, 2)

_ROWS = """
INSERT INTO history.treatment_plans BY NAME SELECT * FROM (VALUES
    ('c1', 'p1', 'a1', 'draft', '{"resources": [{"id": "r0", "name": "Old"}]}', 'h0',
     '2026-10-01 00:00:00Z', '2026-10-01 00:00:00Z', '2026-10-02 00:00:00Z'),
    ('c1', 'p1', 'a1', 'active', '{"resources": [{"id": "r1", "name": "Sleep", "type": "Guide"}], "colour": "red"}',
     'h1', '2026-10-02 00:00:00Z', '2026-10-02 00:00:00Z', NULL),
    ('c2', 'p2', 'a2', 'active', NULL, 'h2', '2026-10-02 00:00:00Z', '2026-10-02 00:00:00Z', NULL)
) v(clinic_id, treatment_plan_id, patient_id, state, extra, content_hash, observed_at, valid_from, valid_to);
INSERT INTO core.orders BY NAME SELECT * FROM (VALUES
    ('c1', 'o1', 'R1', '2026-10-02T23:00:00-05:00', ['p1'], 'h3')
) v(clinic_id, order_id, order_number, completed_at_raw, treatment_plan_ids, content_hash);
INSERT INTO ops.pulls BY NAME SELECT 'x' AS pull_id, 'orders' AS resource, 7 AS rows_read, 'loaded' AS outcome;
INSERT INTO ops.quarantine BY NAME SELECT 'orders' AS table_name, 'p1/7' AS record_key, '{}' AS record;
"""

# What must be there afterwards, each as a query that gives true.
_KEPT = (
    "SELECT count(*) = 3 FROM history.treatment_plans",
    "SELECT count(*) = 2 FROM core.treatment_plans",
    "SELECT bool_and(known_at = valid_from) FROM history.treatment_plans",
    "SELECT list(content_hash ORDER BY content_hash) = ['h0', 'h1', 'h2'] FROM history.treatment_plans",
    "SELECT extra::VARCHAR = '{\"colour\":\"red\"}' FROM core.treatment_plans WHERE treatment_plan_id = 'p1'",
    "SELECT extra::VARCHAR LIKE '%Old%' FROM history.treatment_plans WHERE state = 'draft'",
    "SELECT list((clinic_id, treatment_plan_id, position, resource_id, name, resource_type, removed_at)) = "
    "[('c1', 'p1', 0, 'r1', 'Sleep', 'Guide', NULL)] FROM core.treatment_plan_resources",
    "SELECT bool_and(valid_from = TIMESTAMPTZ '2026-10-02 00:00:00Z') FROM history.treatment_plan_resources",
    "SELECT count(*) = 1 AND bool_and(order_number = 'R1' AND treatment_plan_ids = ['p1']) FROM core.orders",
    "SELECT bool_and(rows_read = 7 AND bill_requests IS NULL) FROM ops.pulls",
    "SELECT count(*) = 1 FROM ops.quarantine WHERE resolution IS NULL AND record_id = '7' AND parent_id = 'p1'",
    "SELECT count(*) = 1 FROM history.treatment_plans_as_of('2026-10-01 12:00:00Z')",
    "SELECT count(*) = 1 FROM ops.schema_version WHERE version = 3",
)


def left_by(version: int, path: Path) -> Path:
    """The file that a released version left behind, with a few rows."""
    made = Path(__file__).with_name(f"version_{version}.sql").read_text(encoding="utf-8")
    with duckdb.connect(str(path)) as con:
        con.execute("SET TimeZone = 'UTC'")
        for schema in ("core", "history", "marts", "ops"):
            con.execute(f"CREATE SCHEMA {schema}")
        con.execute(made)
        con.execute(_ROWS)
    return path


def trouble_in(warehouse: Warehouse) -> list[str]:
    """The expectations that an upgraded file does not meet."""
    with warehouse.read() as con:
        return [query for query in _KEPT if con.execute(query).fetchone() != (True,)]


def count_statements(version: int, folder: Path) -> int:
    """How many statements the upgrade of a released version takes."""
    path = left_by(version, folder / f"counted_{version}.duckdb")
    return int(_upgrade(path, 0).stdout)


def upgrade_killed_after(path: Path, statement: int) -> None:
    """Upgrades the file in a process that is killed after its n-th statement."""
    ended = _upgrade(path, statement)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def _upgrade(path: Path, statement: int) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "fullscript_pipeline_tests.helpers.released_warehouses.killed",
        str(path),
        str(statement),
    ]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
