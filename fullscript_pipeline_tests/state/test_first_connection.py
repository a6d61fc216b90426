"""Where the partitions of days begin: at the first connection; in directories of earlier versions, where they began."""

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fullscript_pipeline.state import StateStore, read_first_connection_day

UTC, TORONTO = ZoneInfo("UTC"), ZoneInfo("America/Toronto")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-22T02:00:00Z")
    return tmp_path / "state.sqlite"


@pytest.mark.sqlite_file
def test_it_is_the_day_of_the_first_connection(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_first_connection_day(path, UTC) is None
    with StateStore(path) as store:
        assert read_first_connection_day(path, UTC) is None
        clinic = store.clinics.register("us-snd", "c1", "us", "One")
        monkeypatch.setenv("FULLSCRIPT_NOW", "2026-12-01T02:00:00Z")
        store.clinics.register("us-snd", "c2", "us", "Two")
        store.clinics.remove(clinic)
        store.clinics.register("us-snd", "c1", "us", "One")
        assert read_first_connection_day(path, UTC) == date(2026, 11, 22)
    assert read_first_connection_day(path, TORONTO) == date(2026, 11, 21)


@pytest.mark.sqlite_file
def test_a_store_whose_first_clinic_an_earlier_version_connected_keeps_its_grid(path: Path) -> None:
    with StateStore(path) as store:
        store.clinics.register("us-snd", "c1", "us", "One")
        with store.db.write() as connection:
            connection.exec_driver_sql("DELETE FROM facts WHERE name = 'first_connected_at'")
        store.clinics.register("us-snd", "c2", "us", "Two")
    assert read_first_connection_day(path, UTC) == date(2024, 1, 1)


@pytest.mark.sqlite_file
def test_a_file_that_cannot_be_read_stops_no_code_location(path: Path) -> None:
    path.write_bytes(b"no database" * 100)
    assert read_first_connection_day(path, UTC) is None
