"""`migrate-store` on the command line: what it refuses before it opens anything, and a move to PostgreSQL and back."""

from pathlib import Path

import pytest

from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.command_runs import Run
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer


@pytest.mark.parametrize(
    ("places", "sentence"),
    [
        (("file", "file"), "the same state store"),
        (("file", "postgresql://db.example.org/f"), "no state store at"),
        (("file", "mysql://db.example.org/f"), "no address of a PostgreSQL database"),
        (("file", "postgresql://me:canary@db.example.org/f"), "holds a password"),
        (("file", "postgresql://me@db.example.org/f?password=canary"), "holds a password"),
        (("file", "ducklake:postgres:dbname=f"), "move that first (`fullscript-pipeline migrate-store file postgresql"),
        (("ducklake:postgres:dbname=f password=canary", "file"), "holds a password"),
        (("file", "ducklake:f"), "no address of a lake"),
    ],
)
def test_what_cannot_be_moved_is_one_sentence(run: Run, tmp_path: Path, places: tuple[str, str], sentence: str) -> None:
    done = run("migrate-store", *places, "--yes", data=tmp_path)
    assert (done.returncode, sentence in done.stderr, "canary" in done.stdout + done.stderr) == (78, True, False), done
    assert not (tmp_path / "state.sqlite").exists()


@pytest.mark.check_all
def test_a_store_is_moved_and_back(run: Run, tmp_path: Path, postgres: PostgresServer) -> None:
    file, there = tmp_path / "state.sqlite", postgres.url_of(str(tmp_path))
    StateStore(file).close()
    done = run("migrate-store", "file", there, "--yes", data=tmp_path)
    assert (done.returncode, "facts" in done.stdout, "FULLSCRIPT_STATE_URL" in done.stderr) == (0, True, True), done
    done = run("clinics", data=tmp_path)
    says = ("was moved to postgresql://127.0.0.1" in done.stderr, "tests@" in done.stderr)
    assert (done.returncode, *says) == (78, True, False), done
    assert run("clinics", data=tmp_path, FULLSCRIPT_STATE_URL=there).returncode == 0
    assert run("migrate-store", there, "file", "--yes", data=tmp_path).returncode == 0
    store = StateStore(file)
    assert [entry.fields.get("command") for entry in store.audit.entries()][-2:] == ["migrate-store"] * 2
    assert store.audit.damage() == []
    store.close()
