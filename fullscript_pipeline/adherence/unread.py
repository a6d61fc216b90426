"""Dosage texts of active plans that give no clear daily amount, most frequent first: what to write more clearly.

What does not belong here: reading a text (dosage.py), printing (the command line).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from fullscript_pipeline.adherence.dosage import parse_dosage

_TEXTS = "dosage_amount, dosage_frequency, dosage_duration, dosage_format, dosage_additional_info"


@dataclass(frozen=True)
class UnreadDosage:
    """`lines`: recommendations of active plans with this text; `what`: the dosage or its duration; `reason` in words."""

    lines: int
    what: str
    amount: str | None
    frequency: str | None
    duration: str | None
    format: str | None
    additional_info: str | None
    reason: str


def unread_dosages(con: duckdb.DuckDBPyConnection, clinic_ids: Sequence[str]) -> list[UnreadDosage]:
    """Of these clinics' active plans as last seen. As-needed texts are read (they have no daily amount) and not listed."""
    rows = con.execute(
        f"""
        SELECT count(*), {_TEXTS}
        FROM core.recommendations r
        JOIN core.treatment_plans p USING (clinic_id, treatment_plan_id)
        WHERE r.clinic_id IN (SELECT unnest(?::VARCHAR[])) AND r.removed_at IS NULL AND p.removed_at IS NULL
            AND lower(trim(p.state)) = 'active'
        GROUP BY {_TEXTS}
        ORDER BY count(*) DESC, {_TEXTS}
        """,
        [list(clinic_ids)],
    ).fetchall()
    found = []
    for lines, *texts in rows:
        dosage = parse_dosage(*texts)
        if dosage.status == "unparsable":
            found.append(UnreadDosage(lines, "dosage", *texts, dosage.reason or "no clear daily amount"))
        elif dosage.status == "open_range":
            found.append(UnreadDosage(lines, "dosage", *texts, "gives only an upper limit"))
        elif dosage.duration_kind == "unparsable":
            found.append(UnreadDosage(lines, "duration", *texts, "not read: the plan counts as open-ended"))
    return found
