"""Settings and files as `doctor` sees them: whose folder it is, what the disk is made of."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fullscript_pipeline.health import Finding, check_all
from fullscript_pipeline.health.volume import check_disk_usage, is_encrypted
from fullscript_pipeline.settings import Settings, load_settings


def _modes(settings: Settings) -> Finding:
    (found,) = [one for one in check_all(settings) if one.id == "files.modes"]
    return found


def test_a_folder_that_is_not_ours_is_never_advised_to_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home, a shared folder, a folder of other things: taking rights off it would break something else."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "budget.xls").write_text("of somebody else")
    shared.chmod(0o755)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(shared))
    found = _modes(load_settings())
    assert found.state == "fail"
    assert "chmod" not in str(found.fix)
    assert "FULLSCRIPT_DATA_DIR" in str(found.fix)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert "chmod" not in str(_modes(load_settings()).fix)


def test_an_encrypted_volume_is_seen_through_what_it_is_made_of(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    sys_block = tmp_path / "block"
    logical = sys_block / f"{os.major(device)}:{os.minor(device)}"
    assert is_encrypted(tmp_path, sys_block) is None
    crypt = logical / "slaves" / "dm-0"
    (crypt / "dm").mkdir(parents=True)
    assert is_encrypted(tmp_path, sys_block) is False
    (crypt / "dm" / "uuid").write_text("CRYPT-LUKS2-0123\n")
    assert is_encrypted(tmp_path, sys_block) is True


def test_a_years_growth_is_told_once_there_are_days_to_tell_from(tmp_path: Path) -> None:
    settings = load_settings(data_dir=str(tmp_path))
    index = settings.dagster_home / "history/runs/index.db"
    index.parent.mkdir(parents=True)
    with closing(sqlite3.connect(index)) as history:
        history.execute("CREATE TABLE event_logs (asset_key, dagster_event_type, partition)")
        for day in range(1, 8):
            assert "a clinic and year" not in check_disk_usage(settings, None).what
            cells = [(f"{clinic}|2026-11-{day:02}",) for clinic in ("maple", "harbor")]
            history.executemany(
                """INSERT INTO event_logs VALUES ('["core", "clinics"]', 'ASSET_MATERIALIZATION', ?)""", cells
            )
            history.commit()
    assert "a clinic and year so far (14 daily pulls)" in check_disk_usage(settings, None).what
