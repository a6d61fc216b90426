"""Erases a clinic, or one person of a clinic, from the warehouse and the landing files.

`subject` and `mentions` define which rows and lines that is. What does not belong here: pages, the state store, copies
(`maintenance` erases from all stores).
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from fullscript_pipeline.errors import Busy
from fullscript_pipeline.warehouse.files import FINISHED, UNFINISHED, FrameFile, LandingDamage
from fullscript_pipeline.warehouse.personal_data.mentions import frame_mentions, line_mentions, requests_object
from fullscript_pipeline.warehouse.personal_data.person_rows import LANDED
from fullscript_pipeline.warehouse.personal_data.subject import Subject, json_spellings, rows_of


def delete_rows(con: duckdb.DuckDBPyConnection, subject: Subject, ids: frozenset[str]) -> dict[str, int]:
    """Deletes the rows, in the caller's transaction. Returns the number by table; tables without any are left out."""
    removed: dict[str, int] = {}
    for table, condition, values in rows_of(con, subject, ids):
        deleted = con.execute(f"DELETE FROM {table} WHERE {condition}", values)
        removed[table] = int((deleted.fetchone() or (0,))[0])
    if subject.patient_id:
        _forget_in_others(con, subject, subject.patient_id)
    return {table: number for table, number in removed.items() if number}


def _forget_in_others(con: duckdb.DuckDBPyConnection, subject: Subject, patient_id: str) -> None:
    """Removes the person as a guardian from rows of dependents, in the column and in `extra`."""
    con.execute(
        "UPDATE core.patients SET guardian_patient_id = nullif(guardian_patient_id, $patient), extra = CASE WHEN "
        "len(list_filter($spellings, lambda spelling: contains(extra::VARCHAR, spelling))) > 0 THEN NULL ELSE extra "
        "END WHERE clinic_id = $clinic AND (guardian_patient_id = $patient OR contains(extra::VARCHAR, $patient))",
        {"clinic": subject.clinic_id, "patient": patient_id, "spellings": json_spellings(patient_id)},
    )


def record(
    con: duckdb.DuckDBPyConnection, subject: Subject, digest: str, when: datetime, counts: Mapping[str, int]
) -> None:
    """Adds the audit row: time, kind, subject (as a digest) and counts. It holds no name and no id."""
    con.execute(
        "INSERT INTO ops.purges (purged_at, kind, subject, removed) VALUES (?, ?, ?, ?)",
        [when, subject.kind, digest, json.dumps(dict(counts), sort_keys=True)],
    )


def purge_landing(folder: Path, encryption_key: str | None, ids: frozenset[str]) -> dict[str, int]:
    """Removes every line that belongs to the person or mentions them from the files below a clinic's folder.

    A file without such a line is not touched. Raises Busy while a run writes one of the files. Raises LandingDamage,
    after all other files are done, for damaged files: they may still hold the person.
    """
    counts = {"landing_lines": 0, "landing_files": 0}
    damaged: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in LANDED):
        try:
            with _claimed(path):
                dropped = _rewrite_without(path, encryption_key, ids)
        except LandingDamage as damage:
            damaged.append(str(damage))
            continue
        counts["landing_lines"] += dropped
        counts["landing_files"] += dropped > 0
    if damaged:
        raise LandingDamage(" ".join(damaged))
    return counts


def _rewrite_without(path: Path, encryption_key: str | None, ids: frozenset[str]) -> int:
    """Rewrites the file without these ids; returns the number of removed lines and answers."""
    file = FrameFile(path, encryption_key)
    if path.suffix != FINISHED:
        file.cut_torn_end()
    if not any(frame_mentions(request, lines, ids) for request, lines in file.frames()):
        return 0
    temporary = path.with_name(f".{path.name}.rewriting")
    temporary.unlink(missing_ok=True)
    rewritten = FrameFile(temporary, encryption_key, place=path)
    try:
        dropped = _copy_without(file, rewritten, ids)
        if path.suffix == FINISHED:
            rewritten.close()
        if temporary.exists():
            temporary.replace(path)
        else:
            path.unlink()
    finally:
        temporary.unlink(missing_ok=True)
    return dropped


def _copy_without(file: FrameFile, target: FrameFile, ids: frozenset[str]) -> int:
    """Appends to `target` what does not mention these ids; returns the number of lines and answers left out."""
    dropped = 0
    for request, lines in file.frames():
        left = [line for line in lines if not line_mentions(line, ids)]
        if requests_object(request, ids):
            dropped += max(1, len(lines))
        else:
            dropped += len(lines) - len(left)
            target.append(request, left)
    return dropped


@contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Keeps runs from writing the file within the block (`extraction.engine.landing_lock` takes the same lock)."""
    if path.suffix != UNFINISHED:
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
    """Removes a clinic's folder of landed pages; returns the number of files. Raises Busy while a run writes one."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        with _claimed(path):
            pass
    shutil.rmtree(folder, ignore_errors=True)
    return len(files)
