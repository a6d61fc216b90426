"""Promise 29 in full: a backup of an encrypted, pulled data directory, restored by another process elsewhere."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.table_hash import combined_hash, table_hashes

KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
SCHEMAS = ("core", "history", "marts", "ops")


def run(*arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "fullscript_pipeline", *arguments],
        env={**os.environ, **variables}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_a_backup_restores_on_a_clean_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", KEY)
    with connected_pipeline(tmp_path, patients=100, products=100) as connected:
        run("pull")
        before = Warehouse(connected.settings.warehouse_path, KEY)
        folder = run("backup", "--to", str(tmp_path / "backups"), "--with-landing")
        elsewhere = {"FULLSCRIPT_DATA_DIR": str(tmp_path / "elsewhere")}
        run("restore", folder, **elsewhere)
        after = Warehouse(tmp_path / "elsewhere" / "fullscript.duckdb", KEY)
        stored, restored = (table_hashes(one, schemas=SCHEMAS) for one in (before, after))
        landed = [
            sorted(path.relative_to(root) for path in root.rglob("*.frames"))
            for root in (connected.settings.landing_dir, tmp_path / "elsewhere" / "landing")
        ]
        # The restored directory is a working one: it pulls with the restored tokens.
        run("pull", **elsewhere)
    rows = sum(count for count, _ in stored.values())
    found = sum(count for count, _ in restored.values())
    report_promise(
        "promise 29", acked=rows, stored=found, lost=max(0, rows - found), duplicated=0,
        phantom=max(0, found - rows),
        same_hash=combined_hash(stored) == combined_hash(restored), tables=len(stored), landing_files=len(landed[0]),
        seconds=time.monotonic() - began,
    )  # fmt: skip
    assert restored == stored
    assert landed[0] == landed[1] != []
