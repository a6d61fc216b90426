"""Copies: nothing that names a person is in a pseudonymised one, and no exported cell starts a formula."""

import csv
import stat
from datetime import date
from pathlib import Path

import duckdb
import pytest

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.people import PRACTITIONERS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.landing_retention import tidy_landing
from fullscript_pipeline.warehouse.publishing.export import export
from fullscript_pipeline.warehouse.publishing.publish import CopyOptions, Level, publish
from fullscript_pipeline_tests.helpers.warehouse_loads import put

CANARIES = (
    "Canaryfirst",
    "Canarylast",
    "canary@example.org",
    "CanaryText",
    "p-canary",
    "plan-canary",
    "o-canary",
    "doc-1",
)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    return load_settings()


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    person = {"first_name": "Canaryfirst", "last_name": "Canarylast", "email": "canary@example.org"}
    put(warehouse, PRACTITIONERS, [{"id": "doc-1", **person}])
    put(
        warehouse,
        PATIENTS,
        [
            {"id": "p-canary", **person, "date_of_birth": "1980-02-03", "note": "CanaryText"},
            {"id": "old", "date_of_birth": "1901-01-01"},
            {"id": "unknown"},
        ],
    )
    recommendation = {"variant_id": "v1", "dosage": {"amount": "CanaryText", "additional_info": "CanaryText"}}
    plan = {"id": "plan-canary", "patient_id": "p-canary", "practitioner_id": "doc-1", "personal_message": "CanaryText"}
    put(warehouse, TREATMENT_PLANS, [{**plan, "recommendations": [recommendation]}])
    order = {"id": "o-canary", "patient_id": "p-canary", "order_number": "CanaryText", "line_items": []}
    put(warehouse, ORDERS, [{**order, "treatment_plan_ids": ["plan-canary"], "completed_at": "2026-10-20T10:00:00Z"}])
    put(warehouse, PRODUCTS, [{"id": "pr1", "name": "Magnesium", "variants": []}])
    return warehouse


def test_a_pseudonymised_copy_names_nobody_and_still_joins(settings: Settings, filled: Warehouse) -> None:
    settings = settings.model_copy(update={"publish_key": "for the analysts, a long text 12345"})
    path = publish(settings, filled, CopyOptions(level=Level.PSEUDONYMISED)).address
    with Warehouse(Path(path), settings.publish_key, temp_dir=settings.data_dir).read_unlocked() as con:
        everything = [
            str(con.execute(f"SELECT * FROM {schema}.{table}").fetchall())
            for schema, table in con.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        ]
        joined = con.execute(
            "SELECT birth_year, len(treatment_plan_id) FROM core.orders o JOIN core.patients USING (patient_id) "
            "JOIN core.treatment_plans t ON list_contains(o.treatment_plan_ids, t.treatment_plan_id) "
            "JOIN core.practitioners p ON p.practitioner_id = t.practitioner_id"
        ).fetchall()
        births = con.execute("SELECT birth_year FROM core.patients ORDER BY 1 NULLS LAST").fetchall()
        now, before = (
            con.execute("SELECT count(*) FROM history.treatment_plans_as_of(?)", [when]).fetchall()
            for when in ("2100-01-01", "1900-01-01")
        )
    assert not any(canary in rows for canary in CANARIES for rows in everything)
    assert any("Magnesium" in rows for rows in everything)
    assert joined == [(1980, 20)]
    assert births == [(date.today().year - 89,), (1980,), (None,)]  # noqa: DTZ011 - no clock is set
    assert (now[0][0] > 0, before) == (True, [(0,)])
    assert [path.name for path in settings.published_dir.iterdir()] == ["fullscript-pseudonymised.duckdb"]


def test_a_published_copy_has_its_own_key_and_replaces_the_last(settings: Settings, filled: Warehouse) -> None:
    settings = settings.model_copy(update={"publish_key": "for the analysts, a long text 12345"})
    path = Path(publish(settings, filled).address)
    again = Path(publish(settings, filled).address)
    assert (path, stat.S_IMODE(path.stat().st_mode)) == (again, 0o600)
    assert b"Canarylast" not in path.read_bytes()
    with Warehouse(path, settings.publish_key).read_unlocked() as con:
        assert con.execute("SELECT count(*) FROM core.patients").fetchall() == [(3,)]
        assert con.execute("SELECT level, dates FROM copy_info").fetchall() == [("whole", "kept")]


def test_no_exported_cell_starts_a_formula(filled: Warehouse, tmp_path: Path) -> None:
    nasty = ["=1+1", "+1", "-1", "@x", "|x", "%x", "＝1", " =1", "\t=1", "plain", 'quote"s, and\nlines']
    put(filled, PATIENTS, [{"id": f"n{n}", "first_name": one} for n, one in enumerate(nasty)], hour=1)
    (written,) = export(filled, tmp_path / "out", "csv", ["patients"])
    assert (written.rows, stat.S_IMODE(written.path.stat().st_mode)) == (len(nasty) + 3, 0o600)
    with written.path.open(newline="", encoding="utf-8") as file:
        cells = {row["patient_id"]: row["first_name"] for row in csv.DictReader(file)}
    for number, one in enumerate(nasty):
        assert cells[f"n{number}"] == (one if number >= 9 else f"'{one}")


def test_everything_can_be_exported_and_a_wrong_name_is_reported(filled: Warehouse, tmp_path: Path) -> None:
    written = export(filled, tmp_path / "out", "parquet")
    assert {"core.patients", "core.treatment_plans", "core.products"} <= {one.table for one in written}
    assert duckdb.sql(f"SELECT count(*) FROM '{tmp_path}/out/core.patients.parquet'").fetchall() == [(3,)]
    with pytest.raises(UsageError, match="nonsense"):
        export(filled, tmp_path / "out", "csv", ["nonsense"])


def test_old_landed_pages_go_and_young_ones_stay(tmp_path: Path) -> None:
    for day in ("2026-10-01", "2026-10-31", "2026-11-01", "notes"):
        (tmp_path / "us-snd" / "acme" / day).mkdir(parents=True)
        (tmp_path / "us-snd" / "acme" / day / "orders.1.frames").write_bytes(b"12345")
    today = date(2026, 11, 1)
    assert tidy_landing(tmp_path, 0, today).files == 0
    assert tidy_landing(tmp_path, 1, today, only_look=True).bytes == 5
    assert tidy_landing(tmp_path, 1, today, kept={("acme", "2026-10-01")}).files == 0
    assert tidy_landing(tmp_path, 1, today).files == 1
    assert sorted(path.name for path in (tmp_path / "us-snd" / "acme").iterdir()) == [
        "2026-10-31",
        "2026-11-01",
        "notes",
    ]
