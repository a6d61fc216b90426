"""A lake is kept by a dump of its catalog and, after it, a copy of its files (docs/scale-out.md, Back up and restore).

What does not belong here: backups of a file (`maintenance/test_backup`).
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline.warehouse.upgrades import migrate
from fullscript_pipeline_tests.helpers.lakes import lake_catalog, open_lake
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer, postgres_programs

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(300)]

PURGE = "INSERT INTO ops.purges (kind, subject) VALUES ('patient', ?)"
SUBJECTS = "SELECT subject FROM ops.purges ORDER BY subject"


def _write(lake: Lake, *subjects: str) -> None:
    for subject in subjects:
        with lake.write() as con:
            con.execute(PURGE, [subject])


def _read(lake: Lake) -> list[str]:
    with lake.read() as con:
        return [str(subject) for (subject,) in con.execute(SUBJECTS).fetchall()]


def _database_of(catalog: str) -> str:
    return dict(part.split("=") for part in catalog.split())["dbname"]


def test_a_dump_and_a_later_copy_of_the_files_are_a_backup(postgres: PostgresServer, tmp_path: Path) -> None:
    """Between the two the lake was written and its small files joined: what was replaced is kept for an hour."""
    files, kept, dump = tmp_path / "files", tmp_path / "kept", tmp_path / "fullscript.dump"
    catalog = lake_catalog(postgres, str(tmp_path))
    lake = open_lake(catalog, str(files), tmp_path / "one")
    migrate(lake, [])
    _write(lake, "one", "two", "three")
    programs, to_server = postgres_programs(), ["--host=127.0.0.1", f"--port={postgres.port}", "--username=tests"]
    dumped = [str(programs / "pg_dump"), *to_server, "-Fc", "-f", str(dump), _database_of(catalog)]
    subprocess.run(dumped, check=True, timeout=60)
    _write(lake, "four")
    with lake.write() as con:
        con.execute("DELETE FROM ops.purges WHERE subject = 'one'")
    lake.tidy()
    shutil.copytree(files, kept)
    assert _read(lake) == ["four", "three", "two"]
    lake.close_if_unused()

    postgres.execute(f"DROP DATABASE {_database_of(catalog)} WITH (FORCE)")
    shutil.rmtree(files)
    postgres.execute(f"CREATE DATABASE {_database_of(catalog)}")
    restored = [str(programs / "pg_restore"), *to_server, "--exit-on-error", "-d", _database_of(catalog), str(dump)]
    subprocess.run(restored, check=True, timeout=60)
    shutil.copytree(kept, files)
    again = open_lake(catalog, str(files), tmp_path / "two")
    assert _read(again) == ["one", "three", "two"]
    _write(again, "five")
    assert _read(again) == ["five", "one", "three", "two"]
    again.close_if_unused()
