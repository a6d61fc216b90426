"""Takes a clinic, or one person of a clinic, out of the warehouse and the landing files.

Which rows and lines that is say `subject` and `mentions`. What does not belong here: pages, the state store, copies
(`orchestration.purging` knows them all).
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
from fullscript_pipeline.warehouse.files import FINISHED, FrameFile, LandingDamage
from fullscript_pipeline.warehouse.personal_data.mentions import frame_mentions, line_mentions, requests_object
from fullscript_pipeline.warehouse.personal_data.person_rows import LANDED
from fullscript_pipeline.warehouse.personal_data.subject import Subject, json_spellings, rows_of


def delete_rows(con: duckdb.DuckDBPyConnection, subject: Subject, ids: frozenset[str]) -> dict[str, int]:
    """Deletes the rows, in the caller's transaction; the number by table, tables without any left out."""
    removed: dict[str, int] = {}
    for table, condition, values in rows_of(con, subject, ids):
        deleted = con.execute(f"DELETE FROM {table} WHERE {condition}", values)
        removed[table] = int((deleted.fetchone() or (0,))[0])
    if subject.patient_id:
        _forget_in_others(con, subject, subject.patient_id)
    return {table: number for table, number in removed.items() if number}


def _forget_in_others(con: duckdb.DuckDBPyConnection, subject: Subject, patient_id: str) -> None:
    """A dependent's row names its guardian: by column, and maybe in what no column holds."""
    con.execute(
        "UPDATE core.patients SET guardian_patient_id = nullif(guardian_patient_id, $patient), extra = CASE WHEN "
        "len(list_filter($spellings, lambda spelling: contains(extra::VARCHAR, spelling))) > 0 THEN NULL ELSE extra "
        "END WHERE clinic_id = $clinic AND (guardian_patient_id = $patient OR contains(extra::VARCHAR, $patient))",
        {"clinic": subject.clinic_id, "patient": patient_id, "spellings": json_spellings(patient_id)},
    )


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
    """How many lines and answers went."""
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
    """Appends to `kept` what does not concern these ids; how many lines and answers are left out."""
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
