"""A clinic's days in a lake beside the same days in a file: the same tables, also after a move there and back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline.maintenance import mart_ddl, purge_everywhere
from fullscript_pipeline.warehouse import move_into_lake, move_out_of_lake, moved_file
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline.warehouse.upgrades import migrate
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.lakes import lake_catalog, lake_catalog_text, open_lake
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.s3_server import Bucket
from fullscript_pipeline_tests.helpers.table_hash import differing_tables, table_hashes

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(600)]

# The state store remembers how far the feeds were read, for both warehouses: the second one that pulls is told of no
# event, and reads a plan that has changed only in its turn.
OF_EVENTS = ("core.events", "core.webhook_deliveries")
OF_PLANS = tuple(
    f"{schema}.{table}"
    for schema in ("core", "history")
    for table in ("treatment_plans", "recommendations", "lab_recommendations", "treatment_plan_resources")
)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveClinic]:
    with open_live_clinic(tmp_path, all_clinics=1, patients=5, products=10) as opened:
        migrate(opened.warehouse, mart_ddl())
        yield opened


@pytest.fixture
def lake(postgres: PostgresServer, bucket: Bucket, tmp_path: Path) -> Iterator[Lake]:
    opened = open_lake(lake_catalog(postgres, str(tmp_path)), f"{bucket.url}/lake", tmp_path / "lake")
    migrate(opened, mart_ddl())
    yield opened
    opened.close_if_unused()


def _pull(live: LiveClinic, warehouse: Warehouse) -> None:
    live.warehouse = warehouse
    live.pull_everything()


def test_days_in_a_lake_are_the_days_in_a_file(live: LiveClinic, lake: Lake) -> None:
    file = live.warehouse
    _pull(live, lake)
    in_file, in_lake = (table_hashes(one, without=OF_EVENTS) for one in (file, lake))
    assert differing_tables(in_file, in_lake) == []
    live.connected.sandbox.control.advance(days=1)
    live.connected.set_clock()
    _pull(live, file)
    _pull(live, lake)
    in_file, in_lake = (table_hashes(one, without=(*OF_EVENTS, *OF_PLANS)) for one in (file, lake))
    assert differing_tables(in_file, in_lake) == []
    assert in_file["core.orders"][0] > 0, "there is something to compare"


def test_a_warehouse_moves_into_a_lake_and_back_with_every_row(live: LiveClinic, lake: Lake, tmp_path: Path) -> None:
    file, before = live.warehouse, table_hashes(live.warehouse)
    rows = move_into_lake(file, lake)
    assert (table_hashes(lake), file.exists(), moved_file(file.path).exists()) == (before, False, True)
    live.connected.sandbox.control.advance(days=1)
    live.connected.set_clock()
    _pull(live, lake)
    in_lake = table_hashes(lake)
    assert in_lake != before
    assert move_out_of_lake(lake, file) > rows
    assert table_hashes(file) == in_lake
    assert file.path.stat().st_mode & 0o077 == 0


def test_a_person_who_is_purged_is_nowhere(live: LiveClinic, lake: Lake, postgres: PostgresServer) -> None:
    """Neither in a row, nor in an earlier snapshot, nor in what the catalog says of a column."""
    _pull(live, lake)
    settings, store, clinic = live.connected.settings, live.connected.store, live.clinic
    with lake.read() as con:
        emails = con.execute("SELECT patient_id, email FROM core.patients ORDER BY email").fetchall()
    patient, email = emails[0]
    assert email in lake_catalog_text(lake.catalog.address), "the smallest e-mail address is in the catalog"
    purged = purge_everywhere(settings, lake, store, clinic, patient)
    assert purged.counts["core.patients"] == 1
    with lake.read() as con:
        left = con.execute("SELECT patient_id FROM core.patients ORDER BY email").fetchall()
        snapshots = con.execute("SELECT count(*) FROM ducklake_snapshots('warehouse')").fetchall()
        orders = con.execute("SELECT count(*) FROM core.orders WHERE patient_id = ?", [patient]).fetchall()
    assert (left, orders) == ([(other,) for other, _ in emails[1:]], [(0,)])
    text = lake_catalog_text(lake.catalog.address)
    assert (email in text, patient in text, snapshots[0][0] <= 3) == (False, False, True)
    _pull(live, lake)
    with lake.read() as con:
        assert con.execute("SELECT patient_id FROM core.patients ORDER BY email").fetchall() == left, "stays out"
