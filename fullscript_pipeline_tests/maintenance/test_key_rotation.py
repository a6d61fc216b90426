"""`keys rotate` puts everything that is sealed under the new key, whatever kills it; the old one opens nothing then."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from fullscript_pipeline.cli.keys import keys
from fullscript_pipeline.encryption import key_record
from fullscript_pipeline.encryption.fingerprint import fingerprint
from fullscript_pipeline.encryption.key_record import changing_keys, read_record
from fullscript_pipeline.errors import Busy, ConfigurationError, PipelineError
from fullscript_pipeline.extraction.engine.landing_lock import claim_landing_file, release_lock
from fullscript_pipeline.health import check_all
from fullscript_pipeline.maintenance import key_rotation
from fullscript_pipeline.maintenance.backup import backups_under_different_keys, restore, verify
from fullscript_pipeline.maintenance.key_rotation import plan_rotation, rotate_keys
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import database_comparison
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files import reencryption
from fullscript_pipeline.warehouse.files.frame_file import FrameFile, LandingDamage
from fullscript_pipeline.warehouse.landing import Request
from fullscript_pipeline_tests.helpers.sealed_directory import (
    KINDS,
    NEW,
    OLD,
    Contents,
    contents,
    make_sealed_directory,
    settings_under,
)


class Killed(BaseException):
    """What is not caught: the process is gone."""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contents]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
            patch.delenv(name)
        settings = make_sealed_directory(tmp_path_factory.mktemp("sealed") / "data")
        return settings.data_dir, contents(settings)


@pytest.fixture
def folder(sealed: tuple[Path, Contents], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    shutil.copytree(sealed[0], tmp_path / "data")
    return tmp_path / "data"


def _rotate(folder: Path) -> int:
    settings = settings_under(folder, f"{NEW},{OLD}")
    plan_rotation(settings)
    return rotate_keys(settings, lambda _: None)


def _is_rotated(folder: Path, before: Contents) -> None:
    assert contents(settings_under(folder, NEW)) == before
    assert settings_under(folder, f"{NEW},{OLD}").warehouse_key == NEW
    assert settings_under(folder, f"{OLD},{NEW}").warehouse_key == NEW
    assert contents(settings_under(folder, OLD)).opened == set()
    assert contents(settings_under(folder, None)).opened == set()
    path, temp = folder / "fullscript.duckdb", folder / "tmp"
    for one in (path, folder / "published" / "fullscript.duckdb"):
        assert reencryption.key_of_database(one, [OLD, NEW], temp) == NEW  # not only by the note
    for one in (folder / "landing").rglob("*.[foa]*"):
        with pytest.raises(ConfigurationError):
            FrameFile(one, OLD).requests()
    assert [one for one in folder.rglob(".*") if one.is_file()] == []


def test_everything_follows_and_the_old_key_is_refused_everywhere(folder: Path, sealed: tuple[Path, Contents]) -> None:
    assert sealed[1].opened == KINDS
    assert _rotate(folder) >= 4 + 3 + 2
    _is_rotated(folder, sealed[1])
    settings = settings_under(folder, f"{NEW},{OLD}")
    plan = plan_rotation(settings)
    assert (plan.values, plan.landing, plan.databases) == (0, (), ())
    assert settings.warehouse_key == NEW


_FAST = {"in the third landing file"}
STEPS = {
    "after the note": (key_rotation, "require_no_landing_run", 1),
    "after the state store": (key_rotation, "_rekey_landing", 1),
    "in the first landing file": (reencryption, "sync_folder", 1),
    "in the third landing file": (reencryption, "sync_folder", 3),
    "in the published copy": (reencryption, "sync_folder", 4),
    "in the warehouse's copy": (database_comparison, "contents", 4),
    "at the warehouse": (reencryption, "sync_folder", 5),
    "before the last note": (key_rotation, "_remove_leftovers", 1),
}


@pytest.mark.parametrize(
    "step", [step if step in _FAST else pytest.param(step, marks=pytest.mark.check_all) for step in STEPS]
)
def test_a_change_that_was_killed_is_told_and_goes_on(
    folder: Path, sealed: tuple[Path, Contents], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    module, name, at = STEPS[step]
    real: Callable[..., object] = getattr(module, name)
    calls = 0

    def dying(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Killed
        return real(*arguments)

    settings = settings_under(folder, f"{NEW},{OLD}")
    plan_rotation(settings)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, dying)
        with pytest.raises(Killed):
            rotate_keys(settings, lambda _: None)
    for listed in (f"{NEW},{OLD}", OLD):
        found = contents(settings_under(folder, listed))
        told = [error for kind, error in found.found.items() if kind in {"landing", "warehouse", "published"}]
        assert all("`fullscript-pipeline keys rotate` was interrupted: run it again" in str(one) for one in told)
    assert {"tokens", "webhooks", "audit log"} <= contents(settings).opened
    _rotate(folder)
    _is_rotated(folder, sealed[1])


def test_a_run_that_lands_pages_is_waited_for_and_nothing_is_changed(folder: Path) -> None:
    settings = settings_under(folder, f"{NEW},{OLD}")
    _, claim = claim_landing_file(folder / "landing" / "us-snd" / "maple" / "2026-11-22", "orders", "pull")
    with pytest.raises(Busy, match="A run is writing to"):
        plan_rotation(settings)
    with pytest.raises(Busy, match="A run is writing to"):
        rotate_keys(settings, lambda _: None)
    release_lock(claim)
    assert read_record(folder) is None
    assert contents(settings_under(folder, OLD)).opened == KINDS


def test_nobody_begins_a_sealed_file_under_the_former_key(folder: Path) -> None:
    key_record.require_key_of_files(folder, OLD)
    key_record.write_record(folder, key_record.KeyRecord(key=None, changing_to="0" * 16))
    with pytest.raises(ConfigurationError, match="interrupted"):
        key_record.require_key_of_files(folder, OLD)
    with changing_keys(folder), pytest.raises(Busy, match="being changed"):
        key_record.require_key_of_files(folder, OLD)
    with changing_keys(folder), pytest.raises(Busy, match="Another"), changing_keys(folder):
        pass
    key_record.write_record(folder, key_record.KeyRecord(key=fingerprint(NEW)))
    for key in (OLD, None):
        with pytest.raises(ConfigurationError, match="start it again"):
            key_record.require_key_of_files(folder, key)
    key_record.require_key_of_files(folder, NEW)


def test_what_no_key_opens_or_is_damaged_stops_it_before_it_begins(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="another key"):
        plan_rotation(settings_under(folder, NEW))
    stranger = folder / "landing" / "us-snd" / "maple" / "2026-11-22" / "labs.9.frames"
    FrameFile(stranger.with_suffix(".open"), "a third key").append(Request(endpoint="labs", key="k"), [])
    FrameFile(stranger.with_suffix(".open"), "a third key").finish()
    settings = settings_under(folder, f"{NEW},{OLD}")
    with pytest.raises(ConfigurationError, match=r"labs\.9\.frames opens with none of the keys"):
        plan_rotation(settings)
    stranger.unlink()
    torn = next((folder / "landing").rglob("*.frames"))
    torn.write_bytes(torn.read_bytes()[:-1])
    with pytest.raises(LandingDamage, match=torn.name):
        plan_rotation(settings)
    assert read_record(folder) is None


@pytest.mark.check_all
def test_a_directory_in_the_clear_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    settings = make_sealed_directory(tmp_path / "data", None)
    before = contents(settings)
    assert b"Canary" in next(settings.landing_dir.rglob("*.frames")).read_bytes() or before.opened == KINDS
    sealing = settings_under(settings.data_dir, NEW)
    plan_rotation(sealing)
    rotate_keys(sealing, lambda _: None)
    assert contents(sealing) == before
    assert contents(settings).opened == set()


@pytest.mark.check_all
def test_a_copy_under_a_key_of_its_own_keeps_it(folder: Path) -> None:
    own = "an-analysts-own-key-of-no-concern"
    copy = folder / "published" / "fullscript-deidentified.duckdb"
    with Warehouse(folder / "fullscript.duckdb", OLD).read_with_target(copy, own) as con:
        con.execute("CREATE TABLE target.t AS SELECT 1 AS one")
    _rotate(folder)
    with Warehouse(copy, own, temp_dir=folder / "tmp").read_unlocked() as con:
        assert con.execute("SELECT one FROM t").fetchall() == [(1,)]


@pytest.mark.check_all
def test_a_copy_that_differs_is_not_put_in_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = database_comparison.contents
    monkeypatch.setattr(database_comparison, "contents", lambda con, name: real(con, name)[name == "target" :])
    with pytest.raises(PipelineError, match="could not be copied whole"):
        _rotate(folder)
    assert reencryption.key_of_database(folder / "fullscript.duckdb", [NEW, OLD], folder / "tmp") == OLD


@pytest.mark.check_all
def test_a_backup_of_before_is_restored_with_both_keys_and_follows_the_next_rotation(
    folder: Path, sealed: tuple[Path, Contents]
) -> None:
    _rotate(folder)
    both, (backup,) = settings_under(folder, f"{NEW},{OLD}"), (folder / "backups").iterdir()
    assert backups_under_different_keys(both, NEW) == [backup]
    with pytest.raises(ConfigurationError, match="another FULLSCRIPT_ENCRYPTION_KEY"):
        verify(backup, settings_under(folder, NEW))
    restore(both, Warehouse(both.warehouse_path, both.warehouse_key), backup, force=True)
    assert both.warehouse_key == OLD
    assert {"tokens", "webhooks", "warehouse"} <= contents(both).opened
    _rotate(folder)
    restored = contents(settings_under(folder, NEW))
    assert restored.opened == KINDS
    assert restored.found["warehouse"] == sealed[1].found["warehouse"]
    assert contents(settings_under(folder, OLD)).opened == set()


def test_too_little_space_stops_it_before_it_begins(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(folder))
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", f"{NEW},{OLD}")
    told = CliRunner().invoke(keys, ["rotate"]).exception
    assert isinstance(told, ConfigurationError)
    assert "976.6 KiB free" in str(told)
    assert "Nothing was changed" in str(told)
    assert contents(settings_under(folder, OLD)).opened == KINDS


def test_a_guessable_key_is_no_new_key_for_real_patients(folder: Path) -> None:
    with StateStore(folder / "state.sqlite", OLD) as store:
        store.facts.set("kind", "production")
    with pytest.raises(ConfigurationError, match="can be guessed"):
        plan_rotation(settings_under(folder, f"letmein,{OLD}"))


def test_doctor_tells_of_an_interrupted_change(folder: Path) -> None:
    key_record.write_record(folder, key_record.KeyRecord(key=None, changing_to=fingerprint(NEW)))
    found = {one.id: one for one in check_all(settings_under(folder, f"{NEW},{OLD}"))}
    assert "was interrupted: run it again" in found["settings.key"].what
    assert found["settings.key"].exit_code == 78
    assert "was interrupted" in found["warehouse.pulls"].what
