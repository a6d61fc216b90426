"""A warehouse that another process holds, as `doctor` sees it."""

import os
import subprocess
import sys

from fullscript_pipeline_tests.helpers.healthy_setup import KEY, Ready, findings_by_id

_HOLDER = """
import sys
from pathlib import Path
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
with Warehouse(Path(sys.argv[1]), sys.argv[2]).read():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_whoever_holds_the_warehouse_is_named_and_left_alone(ready: Ready) -> None:
    settings = ready[1]
    run = [sys.executable, "-c", _HOLDER, str(settings.warehouse_path), KEY]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        found = findings_by_id(settings)
        note = settings.warehouse_path.with_name("fullscript.duckdb.holder")
        os.utime(note, (0, note.stat().st_mtime - 7200))
        later = findings_by_id(settings)
        holder.communicate("done\n", timeout=20)
    assert found["warehouse.lock"].state == "pass"
    assert f"process {holder.pid}" in found["warehouse.lock"].what
    assert found["warehouse.pulls"].state == "skip"
    assert later["warehouse.lock"].state == "fail"
    assert findings_by_id(settings)["warehouse.lock"].what == "free"


_NOTEBOOK = """
import sys, duckdb
duckdb.execute(f"ATTACH '{sys.argv[1]}' AS w (ENCRYPTION_KEY '{sys.argv[2]}', READ_ONLY)")
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_notebook_that_was_left_open_is_named(ready: Ready) -> None:
    """It takes no lock of ours; reading would succeed beside it, and every run would wait for it."""
    settings = ready[1]
    run = [sys.executable, "-c", _NOTEBOOK, str(settings.warehouse_path), KEY]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as notebook:
        assert notebook.stdout is not None
        assert notebook.stdout.readline().strip() == "held"
        found = findings_by_id(settings)
        notebook.communicate("done\n", timeout=20)
    assert found["warehouse.lock"].state == "fail"
    assert f"process {notebook.pid}" in found["warehouse.lock"].what
    assert found["warehouse.pulls"].state == "skip"
    assert findings_by_id(settings)["warehouse.lock"].what == "free"
