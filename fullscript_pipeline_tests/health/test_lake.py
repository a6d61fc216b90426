"""What `doctor` says of a lake: TLS, who else may read its catalog, and one sentence where it cannot be reached."""

from pathlib import Path

import pytest

from fullscript_pipeline.health import Finding, check_all
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.lakes import lake_catalog
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer

pytestmark = pytest.mark.check_all


def _findings() -> dict[str, Finding]:
    return {finding.id: finding for finding in check_all(load_settings())}


def test_who_may_read_the_catalog_is_said_and_a_lake_out_of_reach_is_one_finding(
    tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = lake_catalog(postgres, str(tmp_path))
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", postgres.url_of(str(tmp_path)))
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", f"ducklake:postgres:{catalog}")
    assert _findings()["warehouse.lock"].state == "skip", "there is none yet"
    lake = open_warehouse(load_settings())
    found = _findings()
    assert (found["warehouse.catalog"].state, found["warehouse.roles"].state) == ("pass", "pass")
    assert "without TLS; it holds the smallest and largest value" in found["warehouse.catalog"].what
    assert found["warehouse.open"].what == "can be read"

    with lake.maintain() as con:
        for statement in ("CREATE ROLE analyst", "GRANT SELECT ON ALL TABLES IN SCHEMA lake TO analyst"):
            con.execute(f"CALL postgres_execute('__ducklake_metadata_warehouse', '{statement}')")
    assert "analyst may read" in _findings()["warehouse.roles"].what

    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", "ducklake:postgres:host=127.0.0.1 port=9 dbname=x password=canary")
    gone = _findings()["warehouse.catalog"]
    assert (gone.state, "cannot be reached" in gone.what, "canary" in str(gone)) == ("fail", True, False)
