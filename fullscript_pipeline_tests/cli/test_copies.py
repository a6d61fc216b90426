"""`pull --dry-run`, `purge`, `backup`, `restore`, `publish`, `export`, `tidy`: what they ask, refuse and print."""

import json
from pathlib import Path

import pytest

from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.helpers.command_runs import Run
from fullscript_pipeline_tests.helpers.warehouse_loads import put


@pytest.fixture
def filled(tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a clinic and one patient."""
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    settings = load_settings()
    settings.prepare_data_dir()
    warehouse.path.rename(settings.warehouse_path)
    put(Warehouse(settings.warehouse_path), PATIENTS, [{"id": "p1", "first_name": "Ann"}])
    with StateStore(settings.state_path) as store:
        store.clinics.register("us-snd", "c1", "us", "Acme")
    return settings.data_dir


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("purge",), 2, "--patient CLINIC ID"),
        (("purge", "--clinic", "nobody", "--yes"), 2, "nobody"),
        (("purge", "--clinic", "acme", "--yes"), 2, "disconnect"),
        (("purge", "--patient", "acme", "p1"), 130, "cannot be undone"),
        (("purge", "--patient", "acme", "p2", "--yes"), 2, "check the id"),
        (("restore", "/nowhere"), 2, "is not a backup"),
        (("export", "--table", "nonsense"), 2, "nonsense"),
        (("pull", "--json"), 2, "--dry-run"),
        (("publish", "--deidentified"), 78, "FULLSCRIPT_PUBLISH_KEY"),
        (("publish", "--pseudonymised"), 78, "FULLSCRIPT_PUBLISH_KEY"),
        (("publish", "--pseudonymised", "--deidentified"), 2, "one level"),
        (("publish", "--shift-dates"), 2, "--pseudonymised"),
        (("publish", "--k", "7"), 2, "--deidentified"),
        (("publish", "--deidentified", "--k", "1"), 2, "2<=x<=1000"),
    ],
)
def test_what_is_refused_is_told_in_a_sentence(
    run: Run, filled: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(*arguments, data=filled)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_tidy_says_what_it_would_need_and_removes_nothing(run: Run, filled: Path) -> None:
    done = run("tidy", "--dry-run", data=filled)
    assert (done.returncode, done.stdout) == (0, "0 files, 0 B would be removed (kept: forever)\n")
    assert "set FULLSCRIPT_KEEP_LANDING_DAYS" in done.stderr


def test_no_copy_is_made_of_nothing(run: Run, tmp_path: Path) -> None:
    for command in ("publish", "export", "backup"):
        done = run(command, data=tmp_path / "new")
        assert done.returncode == 78
        assert "pull" in done.stderr
    assert not (tmp_path / "new" / "fullscript.duckdb").exists()


def test_a_copy_for_analysts_says_what_it_is_and_what_it_cost(run: Run, filled: Path) -> None:
    people = [{"id": f"q{n}", "gender": "female", "date_of_birth": f"{1970 + n}-05-05"} for n in range(8)]
    put(Warehouse(filled / "fullscript.duckdb"), PATIENTS, people, hour=1)
    key = {"FULLSCRIPT_PUBLISH_KEY": "for the analysts, a long text 12345"}
    done = run("publish", "--deidentified", data=filled, **key)
    assert (done.returncode, Path(done.stdout.strip()).name) == (0, "fullscript-deidentified.duckdb")
    assert (
        "k reached: 8 (requested: 5). Birth years: in bands of 10 years. Suppressed: 1 of 9 patients, 0 of 0 rows"
        in done.stderr
    )
    assert (
        "No row is left" in done.stderr
        and "give out one copy a year" in done.stderr
        and "give that key to its readers" in done.stderr
    )
    done = run("publish", "--deidentified", "--k", "9", data=filled, **key)
    assert (done.returncode, done.stdout) == (1, "")
    assert "none of the 9 patients" in done.stderr
    done = run("publish", "--pseudonymised", data=filled, **key)
    assert (done.returncode, Path(done.stdout.strip()).name) == (0, "fullscript-pseudonymised.duckdb")
    assert "dates are kept" in done.stderr


def test_copies_say_where_they_are_and_the_bill_adds_up(run: Run, filled: Path) -> None:
    for command in (("publish",), ("backup",)):
        done = run(*command, data=filled)
        assert done.returncode == 0
        assert Path(done.stdout.strip()).exists()
    rows = [json.loads(line) for line in run("pull", "--dry-run", "--json", data=filled).stdout.splitlines()]
    assert rows[-1]["total_requests"] == sum(row["requests"] for row in rows[:-1]) > 0
    done = run("purge", "--patient", "acme", "p1", "--yes", data=filled)
    assert done.returncode == 0
    assert "core.patients" in done.stdout
    assert "backups" in done.stderr
    assert "Files were exported" not in done.stderr
    assert "no pull stores it again" in done.stderr
    assert "they were purged before" in run("purge", "--patient", "acme", "p1", "--yes", data=filled).stderr
    undone = run("purge", "--patient", "acme", "p1", "--undo", data=filled)
    assert (undone.returncode, "Pulls may store patient p1 of acme again" in undone.stderr) == (0, True)
    assert run("purge", "--patient", "acme", "p1", "--undo", data=filled).returncode == 2
