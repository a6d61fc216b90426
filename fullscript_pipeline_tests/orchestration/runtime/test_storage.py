"""Our way into Dagster's SQLite files and Dagster's own see the same history, whoever wrote it."""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from fullscript_pipeline.orchestration.runtime import storage
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.settings import load_settings


@dg.asset
def something() -> None:
    """One event of each kind."""


def test_an_instance_goes_from_one_storage_to_the_other_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    settings = load_settings()
    written = []
    for ours in (True, False, True):
        with open_instance(settings) as instance:
            assert (type(instance.event_log_storage).__module__ == storage.__name__) is ours
            written.append(dg.materialize([something], instance=instance).run_id)
            assert {run.run_id for run in instance.get_runs()} == set(written)
            assert all(instance.all_logs(run_id) for run_id in written), "of every run, whoever wrote it"
            last = instance.get_latest_materialization_event(something.key)
            assert last is not None and last.run_id == written[-1]
        (settings.dagster_home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        if not ours:
            (settings.dagster_home / "dagster.yaml").unlink()


def test_files_that_were_not_used_for_longest_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The UI opens a file per run. From Python 3.13 on, a connection that is forgotten open is a warning."""
    monkeypatch.setattr(storage, "_engines", {})
    addresses = [f"sqlite:///{tmp_path / str(number)}.db" for number in range(storage._MOST_ENGINES + 2)]
    engines = []
    for address in addresses:
        engines.append(storage._engine(address))
        engines[-1].connect().close()
        storage._engine(addresses[0])
    kept = [engine.pool.checkedin() for engine in engines]  # type: ignore[attr-defined]
    assert kept == [1, 0, 0, *[1] * (storage._MOST_ENGINES - 1)], "the first was used again and again"
    for engine in engines:
        engine.dispose()


def test_a_runs_file_is_closed_soon_after_its_last_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The UI watches the file itself: what only its write-ahead log holds would be shown with the next event."""
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    with open_instance(load_settings()) as instance:
        run_id = dg.materialize([something], instance=instance).run_id
        (file,) = tmp_path.rglob(f"{run_id}.db")
        log, deadline = file.with_name(f"{file.name}-wal"), time.monotonic() + 20
        while log.exists() and time.monotonic() < deadline:
            time.sleep(storage.CLOSE_AFTER_SECONDS / 4)
        assert not log.exists()
        alone = shutil.copy(file, tmp_path / "alone.db")
        with closing(sqlite3.connect(alone)) as copied:
            assert copied.execute("SELECT max(dagster_event_type = 'PIPELINE_SUCCESS') FROM event_logs").fetchone() == (
                1,
            )


def test_a_file_that_names_a_moved_module_is_brought_up_to_date_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    settings = load_settings()
    settings.prepare_data_dir()
    (settings.dagster_home / "dagster.yaml").write_text(
        "# ours\ntelemetry:\n  enabled: false\n"
        "storage:\n  custom:\n    module: fullscript_pipeline.orchestration.storage\n"
        "    class: Storage\n    config:\n      base_dir:\n        env: DAGSTER_HOME\n"
    )
    with open_instance(settings) as instance:
        assert type(instance.event_log_storage).__module__ == storage.__name__
    assert (settings.dagster_home / "dagster.yaml").read_text().startswith("# ours\ntelemetry:")


def test_a_batch_of_events_is_stored_as_single_ones_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    kinds = []
    for size in ("0", "100"):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        with open_instance(load_settings()) as instance:
            run_id = dg.materialize([something], instance=instance).run_id
            kinds.append([entry.dagster_event_type for entry in instance.all_logs(run_id)])
            last = instance.get_latest_materialization_event(something.key)
            assert last is not None
            assert last.run_id == run_id
    assert kinds[0] == kinds[1]


def test_a_clinic_that_is_gone_is_no_partition_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    with open_instance(load_settings()) as instance:
        assert not instance.has_dynamic_partition("clinics", "acme")
        instance.add_dynamic_partitions("clinics", ["acme"])
        assert instance.has_dynamic_partition("clinics", "acme")
        instance.delete_dynamic_partition("clinics", "acme")
        assert not instance.has_dynamic_partition("clinics", "acme")


def test_a_file_with_a_revision_is_opened_without_loading_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tick of a sensor opens an instance. `dagster instance info` still says what is stored and what is newest."""
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    settings = load_settings()
    with open_instance(settings) as instance:
        stored, newest = instance.event_log_storage.alembic_version() or (None, None)
        assert stored == newest is not None
    monkeypatch.setattr(storage, "check_alembic_revision", lambda *_: pytest.fail("migrations are loaded"))
    with open_instance(settings) as instance:
        assert instance.get_runs() == []
        assert instance.all_instigator_state() == []
