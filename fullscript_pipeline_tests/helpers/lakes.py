"""Lakes for the tests: each in a database of its own of a real PostgreSQL, its files in a folder or a real bucket.

What does not belong here: assertions.
"""

import hashlib
from contextlib import closing
from pathlib import Path

import psycopg2

from fullscript_pipeline.warehouse.connection import LOCK_WAIT_SECONDS
from fullscript_pipeline.warehouse.lake import Lake
from fullscript_pipeline.warehouse.lake_place import LakePlace
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer


def lake_catalog(server: PostgresServer, name: str) -> str:
    """The address of an empty database, made for `name`."""
    database = f"lake{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    server.execute(f"CREATE DATABASE {database}")
    return f"host=127.0.0.1 port={server.port} user=tests dbname={database}"


def open_lake(catalog: str, files: str, folder: Path, *, lock_wait: float = LOCK_WAIT_SECONDS) -> Lake:
    """As a process of another machine would: with a connection of its own."""
    folder.mkdir(exist_ok=True)
    place = LakePlace(catalog=catalog, files=files)
    return Lake(place, folder / "fullscript.duckdb", None, lock_wait=lock_wait)


def lake_catalog_text(catalog: str) -> str:
    """Every row of the lake's own tables."""
    with closing(psycopg2.connect(catalog)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'lake'")
        text = ""
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT * FROM lake.{table}")
            text += str(cursor.fetchall())
        return text
