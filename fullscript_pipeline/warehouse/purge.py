"""Takes a clinic, or one person of a clinic, out of the warehouse and the landing files.

Everything that carries the clinic's id goes, or everything that is the person's or names them: their plans, orders and
lab orders with all versions, rows that hold a record as received, and the lines of landed pages. What does not belong
here: pages, the state store, copies (`orchestration.purging` knows them all).
"""

import hashlib
import hmac
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
from filelock import FileLock, Timeout

from fullscript_pipeline.errors import Busy
from fullscript_pipeline.warehouse.frame_file import FINISHED, FrameFile, LandingDamage
from fullscript_pipeline.warehouse.landing import Request, parse_line

# What a person owns, and the column that names it in the tables below it (lines, tests, resources).
_OWNED = {
    "treatment_plan_id": "history.treatment_plans",
    "order_id": "core.orders",
    "lab_order_id": "history.lab_orders",
}
# Tables without a patient's id whose rows may be about one: by a column of ids, or in the record as received.
_REFERRING = {
    "core.events": "resource_id",
    "core.external_ids": "entity_id",
    "core.webhook_deliveries": "delivery_id",
    "ops.detail_reads": "object_id",
    "ops.held_removals": "record_key",
    "ops.view_sightings": "record_key",
    "ops.view_missing": "record_key",
    "ops.quarantine": "record_key",
}
_RECORDS = ("extra", "record")


@dataclass(frozen=True)
class Subject:
    """Who is to go: a clinic, or (with `patient_id`) one person of it."""

    clinic_id: str
    patient_id: str | None = None

    @property
    def kind(self) -> str:
        return "clinic" if self.patient_id is None else "patient"

    def digest(self, key: str | None) -> str:
        """What the audit line names it by: keyed, so that nobody finds the id by trying; the owner can check one."""
        text = f"{self.clinic_id}/{self.patient_id or ''}".encode()
        return hmac.new((key or "").encode(), text, hashlib.sha256).hexdigest()[:32]


def ids_of(con: duckdb.DuckDBPyConnection, subject: Subject) -> frozenset[str]:
    """The person's id and the ids of their plans, orders and lab orders; empty for a clinic."""
    if subject.patient_id is None:
        return frozenset()
    ids = {subject.patient_id}
    for column, table in _OWNED.items():
        ids |= {
            found
            for (found,) in con.execute(
                f"SELECT DISTINCT {column} FROM {table} WHERE clinic_id = ? AND patient_id = ?",
                [subject.clinic_id, subject.patient_id],
            ).fetchall()
        }
    return frozenset(ids)


def delete_rows(con: duckdb.DuckDBPyConnection, subject: Subject, ids: frozenset[str]) -> dict[str, int]:
    """Deletes the rows, in the caller's transaction; the number by table, tables without any left out."""
    tables = _tables(con)
    removed: dict[str, int] = {}
    for table, columns in tables.items():
        condition, values = _condition(table, columns, subject, ids)
        if condition:
            # A webhook delivery may be tied to no clinic and tell of a person all the same.
            nobodys = "OR clinic_id IS NULL" if subject.patient_id and table in _REFERRING else ""
            found = con.execute(
                f"DELETE FROM {table} WHERE (clinic_id = ? {nobodys}) AND ({condition})", [subject.clinic_id, *values]
            )
            removed[table] = int((found.fetchone() or (0,))[0])
    if subject.patient_id:
        _forget_in_others(con, subject, subject.patient_id)
    return {table: number for table, number in removed.items() if number}


def _forget_in_others(con: duckdb.DuckDBPyConnection, subject: Subject, patient_id: str) -> None:
    """A dependent's row names its guardian: by column, and maybe in what no column holds."""
    con.execute(
        "UPDATE core.patients SET guardian_patient_id = nullif(guardian_patient_id, $patient), extra = CASE WHEN "
        "len(list_filter($written, lambda one: contains(extra::VARCHAR, one))) > 0 THEN NULL ELSE extra END "
        "WHERE clinic_id = $clinic AND (guardian_patient_id = $patient OR contains(extra::VARCHAR, $patient))",
        {"clinic": subject.clinic_id, "patient": patient_id, "written": _as_written(patient_id)},
    )


def _condition(table: str, columns: set[str], subject: Subject, ids: frozenset[str]) -> tuple[str, list[Any]]:
    """Which of the clinic's rows of a table go; none for a table that knows no person."""
    if subject.patient_id is None:
        return "true", []
    conditions: list[str] = []
    values: list[Any] = []
    if table not in _REFERRING:
        if "patient_id" in columns:
            conditions, values = ["patient_id = ?"], [subject.patient_id]
        for owner in columns & _OWNED.keys():
            conditions.append(f"{owner} IN ?")
            values.append(list(ids))
        return " OR ".join(conditions), values
    key = _REFERRING[table]
    conditions, values = [f"list_has_any([{key}] || str_split({key}, '/'), ?)"], [list(ids)]
    for column in _RECORDS:
        if column in columns:
            conditions.append(f"len(list_filter(?, lambda one: contains({column}::VARCHAR, one))) > 0")
            values.append([written for one in ids for written in _as_written(one)])
    return " OR ".join(conditions), values


def _as_written(one: str) -> list[str]:
    """How an id stands in a JSON text: quoted, or a bare number."""
    bare = [f":{one},", f":{one}}}", f"[{one},", f",{one},", f"[{one}]", f",{one}]"] if one.isdigit() else []
    return [json.dumps(one), *bare]


def _tables(con: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """Columns of every stored table that has rows of clinics."""
    rows = con.execute(
        """SELECT schema_name || '.' || table_name, list(column_name) FROM duckdb_columns() WHERE database_name =
        current_database() AND (schema_name, table_name) IN (SELECT (schema_name, table_name) FROM duckdb_tables()
        WHERE database_name = current_database()) GROUP BY ALL ORDER BY 1"""
    ).fetchall()
    return {table: set(columns) for table, columns in rows if "clinic_id" in columns}


def record(
    con: duckdb.DuckDBPyConnection, subject: Subject, digest: str, when: datetime, counts: Mapping[str, int]
) -> None:
    """The audit line: when, what kind, whom (as a digest), how much. No name, no id."""
    con.execute(
        "INSERT INTO ops.purges (purged_at, kind, subject, removed) VALUES (?, ?, ?, ?)",
        [when, subject.kind, digest, json.dumps(dict(counts), sort_keys=True)],
    )


def purge_landing(folder: Path, encryption_key: str | None, ids: frozenset[str]) -> dict[str, int]:
    """Takes every line that is the person's or names them out of the files below a clinic's folder.

    A file that holds none is left as it is. Raises Busy while a run is filling one of the files, and LandingDamage,
    after all others are done, for files that cannot be read as a whole: they may still hold the person.
    """
    counts = {"landing_lines": 0, "landing_files": 0}
    damaged: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {FINISHED, ".open", ".abandoned"}):
        try:
            with _claimed(path):
                dropped = _rewritten(path, encryption_key, ids)
        except LandingDamage as damage:
            damaged.append(str(damage))
            continue
        counts["landing_lines"] += dropped
        counts["landing_files"] += dropped > 0
    if damaged:
        raise LandingDamage(" ".join(damaged))
    return counts


def _rewritten(path: Path, encryption_key: str | None, ids: frozenset[str]) -> int:
    """How many lines and answers went."""
    file = FrameFile(path, encryption_key)
    if path.suffix != FINISHED:
        file.cut_torn_end()
    if not any(_concerned(request, lines, ids) for request, lines in file.frames()):
        return 0
    temporary = path.with_name(f".{path.name}.rewriting")
    temporary.unlink(missing_ok=True)
    kept = FrameFile(temporary, encryption_key, place=path)
    try:
        dropped = _copy_without(file, kept, ids)
        if path.suffix == FINISHED:
            kept.close()
        if temporary.exists():
            temporary.replace(path)
        else:
            path.unlink()
    finally:
        temporary.unlink(missing_ok=True)
    return dropped


def _copy_without(file: FrameFile, kept: FrameFile, ids: frozenset[str]) -> int:
    """Appends to `kept` what does not concern these ids; how many lines and answers are left out."""
    dropped = 0
    for request, lines in file.frames():
        left = [line for line in lines if not _names(line, ids)]
        if _asks_for(request, ids):
            dropped += max(1, len(lines))
        else:
            dropped += len(lines) - len(left)
            kept.append(request, left)
    return dropped


def _concerned(request: Request, lines: list[bytes], ids: frozenset[str]) -> bool:
    return _asks_for(request, ids) or any(_names(line, ids) for line in lines)


def _asks_for(request: Request, ids: frozenset[str]) -> bool:
    """Whether the request itself was for one of these objects: `<clinic key>/<id>?<filters>`."""
    asked, _, filters = request.key.partition("/")[2].partition("?")
    return asked in ids or any(part.partition("=")[2] in ids for part in filters.split("&"))


def _names(line: bytes, ids: frozenset[str]) -> bool:
    """Whether the record is one of these objects, was listed under one, or holds one of their ids anywhere."""
    if not any(one.encode() in line for one in ids):
        return False
    landed = parse_line(line)
    return landed.id in ids or landed.parent_id in ids or _holds(orjson.loads(landed.record), ids)


def _holds(value: Any, ids: frozenset[str], *, is_id: bool = False) -> bool:
    """Whether one of the ids stands where ids stand: under `id`, `..._id`, `..._ids`, at any depth."""
    if isinstance(value, dict):
        return any(_holds(one, ids, is_id=key == "id" or key.endswith(("_id", "_ids"))) for key, one in value.items())
    if isinstance(value, list):
        return any(_holds(one, ids, is_id=is_id) for one in value)
    return is_id and isinstance(value, (str, int)) and str(value) in ids


@contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """No run fills the file meanwhile (`extraction.claims` takes the same lock)."""
    if path.suffix != ".open":
        yield
        return
    lock = FileLock(path.with_suffix(".lock"), mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(f"A run is filling {path}; let it finish (or stop it), then run the purge again.") from None
    try:
        yield
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def remove_landing(folder: Path) -> int:
    """Removes a clinic's folder of landed pages; the number of files. Raises Busy while a run fills one."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        with _claimed(path):
            pass
    shutil.rmtree(folder, ignore_errors=True)
    return len(files)
