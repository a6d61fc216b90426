"""Collects the rows of one person in the warehouse and their landed records, as JSON text.

The text is DuckDB's or the vendor's own and is not parsed and written again, so no digit is lost. What does not belong
here: which rows and records are a person's (`subject`, `mentions`), the exported file (`maintenance`).
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import orjson

from fullscript_pipeline.warehouse.files import ABANDONED, FINISHED, UNFINISHED, FrameFile, LandingDamage
from fullscript_pipeline.warehouse.landing import Request, parse_lines
from fullscript_pipeline.warehouse.personal_data.mentions import line_mentions, requests_object
from fullscript_pipeline.warehouse.personal_data.subject import Subject, rows_of

LANDED = frozenset({FINISHED, UNFINISHED, ABANDONED})


def stored_rows(con: duckdb.DuckDBPyConnection, subject: Subject, ids: frozenset[str]) -> dict[str, list[str]]:
    """The rows by table, each as a JSON object; a table that could hold rows of the person but has none is included."""
    return {
        table: [
            str(row) for (row,) in con.execute(f"SELECT to_json(t) FROM {table} t WHERE {condition}", values).fetchall()
        ]
        for table, condition, values in rows_of(con, subject, ids)
    }


def dependents_of(con: duckdb.DuckDBPyConnection, subject: Subject) -> list[str]:
    """The dependents of the person: their rows are their own, only the mention of the guardian is the person's."""
    rows = con.execute(
        "SELECT patient_id FROM core.patients WHERE clinic_id = ? AND guardian_patient_id = ? ORDER BY 1",
        [subject.clinic_id, subject.patient_id],
    ).fetchall()
    return [patient for (patient,) in rows]


def landed_records(folder: Path, encryption_key: str | None, ids: frozenset[str]) -> list[str]:
    """Every landed record that belongs to the person or mentions them, each as a JSON object with its source.

    Raises LandingDamage, after all files were read, for damaged files: they may hold more records.
    """
    matching: list[str] = []
    damaged: list[str] = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix in LANDED):
        try:
            for request, lines in FrameFile(path, encryption_key).frames():
                matching += _records(path.relative_to(folder), request, lines, ids)
        except LandingDamage as damage:
            damaged.append(str(damage))
    if damaged:
        raise LandingDamage(" ".join(damaged))
    return matching


def _records(path: Path, request: Request, lines: list[bytes], ids: frozenset[str]) -> Iterator[str]:
    is_about_them = requests_object(request, ids)
    envelope = request.envelope
    for line in lines:
        if is_about_them or line_mentions(line, ids):
            (landed,) = parse_lines([line], request.parent_id)
            source = {
                "file": str(path),
                "endpoint": request.endpoint,
                "page": request.page,
                "fetched_at": envelope.fetched_at if envelope else None,
                "request_id": envelope.request_id if envelope else None,
                "listed_under": landed.parent_id,
            }
            yield f'{orjson.dumps(source).decode()[:-1]},"record":{landed.record.decode()}}}'
