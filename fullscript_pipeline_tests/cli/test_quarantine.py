"""`quarantine list` names records without showing them; `replay` says what stays, also by its exit code."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from fullscript_pipeline.cli.main import main
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.types import casts
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.released_warehouses import RELEASED, left_by
from fullscript_pipeline_tests.helpers.warehouse_loads import put

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The console script over a warehouse with one order in quarantine."""
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-22T13:00:00Z")
    monkeypatch.chdir(tmp_path)
    put(open_warehouse(load_settings()), ORDERS, [{"id": "a1", "order_number": "Canary", "completed_at": "perhaps"}])

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fullscript-pipeline", "quarantine", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capfd.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    return run


def test_a_record_is_named_and_shown_only_when_asked_for(run: Run) -> None:
    code, out, err = run("list")
    assert (code, "Canary" in out + err) == (0, False)
    assert "orders" in out and "a1" in out and "completed_at is not a time" in out
    assert "Canary" in run("list", "--show-record")[1]
    (line,) = run("list", "--json")[1].splitlines()
    assert json.loads(line).keys() == {"table", "record", "clinic", "since", "reason"}


def test_what_stays_in_quarantine_is_exit_1(run: Run) -> None:
    code, out, err = run("replay")
    assert (code, "Canary" in out + err) == (1, False)
    assert "1 record still cannot be loaded" in err


def test_an_empty_quarantine_is_said(run: Run) -> None:
    with open_warehouse(load_settings()).write() as con:
        con.execute("DELETE FROM ops.quarantine")
    assert run("replay")[0] == 0
    assert "Nothing is in quarantine." in run("list")[2]


def test_single_fields_are_read_again_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put(open_warehouse(load_settings()), PATIENTS, [{"id": "p", "archived": "faux"}], 1)
    monkeypatch.setattr(casts, "_NO", ("faux",))
    assert "Fields of 1 row" in run("replay")[2]
    with open_warehouse(load_settings()).read() as con:
        assert con.execute("SELECT archived FROM core.patients").fetchall() == [(False,)]


@pytest.mark.parametrize("version", RELEASED)
def test_the_first_command_of_a_new_version_may_be_one_that_reads(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    released = tmp_path / "released"
    released.mkdir(mode=0o700)
    with duckdb.connect(str(left_by(version, released / "fullscript.duckdb"))) as con:
        con.execute("UPDATE ops.quarantine SET seen_at = TIMESTAMPTZ '2026-10-02 00:00:00Z'")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(released))
    code, out, _ = run("list")
    assert code == 0 and "p1/7" in out
