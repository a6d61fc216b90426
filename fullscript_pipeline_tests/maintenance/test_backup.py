"""A backup restores on a clean machine to the same tables (promise 29), and says so when it cannot."""

import json
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError, UsageError
from fullscript_pipeline.extraction.engine.landing_lock import claim_landing_file, release_lock
from fullscript_pipeline.maintenance.backup import MANIFEST, back_up, restore
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.frame_file import FrameFile
from fullscript_pipeline.warehouse.landing import Request
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.table_hash import table_hashes
from fullscript_pipeline_tests.helpers.warehouse_loads import put

KEY = "a long random text for tests, 0123456789"
Machine = Callable[..., tuple[Settings, Warehouse]]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A data directory of its own, as on another machine."""

    def machine(name: str, key: str = KEY) -> tuple[Settings, Warehouse]:
        monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / name))
        monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", key)
        settings = load_settings()
        settings.prepare_data_dir()
        return settings, Warehouse(settings.warehouse_path, settings.warehouse_key)

    return machine


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Warehouse, Path]]:
    """A warehouse and a backup of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path_factory.mktemp("machines") / "first"))
        patch.setenv("FULLSCRIPT_ENCRYPTION_KEY", KEY)
        settings = load_settings()
    settings.prepare_data_dir()
    warehouse = Warehouse(settings.warehouse_path, settings.warehouse_key)
    migrate(warehouse, [])
    put(warehouse, PATIENTS, [{"id": f"p{number}", "first_name": "Canary"} for number in range(50)])
    with StateStore.open(settings) as store:
        store.clinics.register("us-snd", "c1", "us", "Acme")
        landed = settings.landing_dir / "us-snd" / "acme" / "2026-11-01" / "x.frames"
        FrameFile(landed, KEY).append(Request(endpoint="a", key="k"), [])
        yield warehouse, back_up(settings, warehouse, with_landing=True).folder


@pytest.fixture
def backup(source: tuple[Warehouse, Path], tmp_path: Path) -> Path:
    """A backup of one's own."""
    shutil.copytree(source[1], tmp_path / "backup")
    return tmp_path / "backup"


def test_a_backup_restores_on_a_clean_machine(source: tuple[Warehouse, Path], backup: Path, machine: Machine) -> None:
    settings, other = machine("second")
    restored = restore(settings, other, backup)
    assert restored.rows >= 50
    assert table_hashes(other) == table_hashes(source[0])
    with StateStore.open(settings) as store:
        assert [one.clinic_key for one in store.clinics.all()] == ["acme"]
    assert list(settings.landing_dir.rglob("*.frames"))
    with pytest.raises(UsageError, match="--force"):
        restore(settings, other, backup)
    restore(settings, other, backup, force=True)
    put(other, PATIENTS, [{"id": "later"}])  # it can be written to


def test_nothing_is_restored_under_a_run_that_is_landing_pages(backup: Path, machine: Machine) -> None:
    settings, other = machine("busy")
    with StateStore.open(settings):
        pass
    _, claim = claim_landing_file(settings.landing_dir / "us-snd" / "acme" / "2026-11-02", "orders", "a-pull")
    with pytest.raises(Busy, match="wait until it ends or stop it"):
        restore(settings, other, backup, force=True)
    assert not other.exists()
    release_lock(claim)
    assert restore(settings, other, backup, force=True).rows >= 50


def test_a_backup_is_as_encrypted_as_its_source_and_private(source: tuple[Warehouse, Path]) -> None:
    folder = source[1]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not any(b"Canary" in path.read_bytes() or KEY.encode() in path.read_bytes() for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    folders = [folder.parent, folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert len(folders) > 5, "those of the landed pages"
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert not list(folder.parent.glob(".*.writing"))


def test_another_key_and_a_damaged_file_are_told(backup: Path, machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="another FULLSCRIPT_ENCRYPTION_KEY"):
        restore(*machine("third", "another long random text, 9876543210"), backup)
    settings, warehouse = machine("fourth")
    with pytest.raises(UsageError, match="is not a backup"):
        restore(settings, warehouse, tmp_path)
    copy = bytearray((backup / "fullscript.duckdb").read_bytes())
    copy[len(copy) // 2] ^= 1
    (backup / "fullscript.duckdb").write_bytes(copy)
    with pytest.raises(PipelineError, match="damaged"):
        restore(settings, warehouse, backup)
    assert not settings.warehouse_path.exists(), "nothing was put back"


def test_what_the_manifest_does_not_tell_is_refused(backup: Path, machine: Machine) -> None:
    settings, warehouse = machine("fifth")
    (backup / "more").touch()
    with pytest.raises(PipelineError, match="not in its manifest"):
        restore(settings, warehouse, backup)
    (backup / "more").unlink()
    told = json.loads((backup / MANIFEST).read_text())
    (backup / MANIFEST).write_text(json.dumps({**told, "format": 99}))
    with pytest.raises(UsageError, match="newer version"):
        restore(settings, warehouse, backup)
