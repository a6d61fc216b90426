"""Dosage texts of active plans that give no clear daily amount, most frequent first: what to write more clearly.

What does not belong here: reading a text (dosage.py), printing (the command line).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from fullscript_pipeline.adherence.dosage import Dosage, parse_dosage


@dataclass(frozen=True)
class UnreadDosage:
    """`lines`: recommendations with this text; `what`: the dosage or its duration; `reason` in words."""

    lines: int
    what: str
    reason: str
    amount: str | None
    frequency: str | None
    duration: str | None
    format: str | None
    additional_info: str | None


def unread_dosages(con: duckdb.DuckDBPyConnection, clinic_ids: Sequence[str]) -> list[UnreadDosage]:
    """Of these clinics' active plans as last seen. As-needed texts count as read: they have no daily amount."""
    rows = con.execute(
        """
        SELECT count(*) AS lines, dosage_amount, dosage_frequency, dosage_duration, dosage_format,
            dosage_additional_info
        FROM core.recommendations r
        JOIN core.treatment_plans p USING (clinic_id, treatment_plan_id)
        WHERE r.clinic_id IN (SELECT unnest(?::VARCHAR[])) AND r.removed_at IS NULL AND p.removed_at IS NULL
            AND lower(trim(p.state)) = 'active'
        GROUP BY ALL
        ORDER BY lines DESC, dosage_amount, dosage_frequency, dosage_duration, dosage_format, dosage_additional_info
        """,
        [list(clinic_ids)],
    ).fetchall()
    told = ((row, _unread(parse_dosage(*row[1:]))) for row in rows)
    return [UnreadDosage(row[0], *found, *row[1:]) for row, found in told if found]


def _unread(dosage: Dosage) -> tuple[str, str] | None:
    """Which part could not be read, and why."""
    if dosage.status == "unparsable":
        return "dosage", dosage.reason or "it gives no clear daily amount"
    if dosage.status == "open_range":
        return "dosage", "it gives only an upper limit"
    if dosage.status == "ok" and dosage.unit is None:
        return "dosage", "it does not say in which unit (capsule, mL, ...)"
    if dosage.duration_kind == "unparsable":
        return "duration", "it is no length of time; the plan counts as open-ended"
    return None
