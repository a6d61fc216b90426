"""What a killed command left half made is swept; what somebody is writing is not."""

import os
from pathlib import Path

import pytest

from fullscript_pipeline.atomic_files import folder_aside, remove_leftover_files, remove_leftovers, remove_old_spill
from fullscript_pipeline.settings import load_settings


def test_a_folder_that_nobody_holds_is_removed_by_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    backups = tmp_path / "backups"
    left = backups / ".20261101T000000Z.writing"
    left.mkdir(parents=True)
    (left / "state.sqlite").write_text("somebody")
    with folder_aside(backups / "20261102T000000Z") as written:
        (written / "state.sqlite").write_text("somebody")
        load_settings().prepare_data_dir()
        assert not left.exists()
        assert remove_leftovers(backups) == [written], "its lock is held"
        written.rename(backups / "20261102T000000Z")
    assert [path.name for path in backups.iterdir()] == ["20261102T000000Z"]
    with pytest.raises(RuntimeError), folder_aside(backups / "another") as written:
        raise RuntimeError
    assert [path.name for path in backups.iterdir()] == ["20261102T000000Z"]


def test_files_beside_their_place_are_removed_and_others_are_not(tmp_path: Path) -> None:
    left = [
        ".fullscript.duckdb.rewriting", ".fullscript.duckdb.restoring", "published/.fullscript.duckdb.writing",
        "landing/us/acme/2026-11-01/.orders.1.frames.rewriting", "reports/kept/acme/.writing-2026-11-01.zip",
        "reports/clinics/acme/.writing-0a1b", ".state.sqlite.restoring", ".state.sqlite.restoring-wal",
    ]  # fmt: skip
    kept = ["fullscript.duckdb", "landing/us/acme/2026-11-01/orders.1.frames", "reports/kept/acme/2026-11-01.zip"]
    for name in (*left, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    remove_leftover_files(tmp_path, tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_what_was_spilled_long_ago_is_removed(tmp_path: Path) -> None:
    for name, seconds in (("old.tmp", 1_000_000_000), ("new.tmp", None)):
        (tmp_path / name).touch()
        if seconds:
            os.utime(tmp_path / name, (seconds, seconds))
    assert remove_old_spill(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["new.tmp"]
    assert remove_old_spill(tmp_path / "missing") == 0
