"""Dosage texts of active plans that give no clear daily amount, most frequent first: what to write more clearly.

What does not belong here: reading a text (dosage.py), printing (the command line).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from fullscript_pipeline.adherence.dosage import TEXTS, Dosage, parse_dosage


@dataclass(frozen=True, kw_only=True)
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
    causes = ((row, _unread(parse_dosage(*row[1:]))) for row in rows)
    return [
        UnreadDosage(lines=lines, what=cause[0], reason=cause[1], **dict(zip(TEXTS, texts, strict=True)))
        for (lines, *texts), cause in causes
        if cause
    ]


def _unread(dosage: Dosage) -> tuple[str, str] | None:
    """Which part could not be read, and why."""
    if dosage.status == "unparsable":
        return "dosage", dosage.problem or "it gives no clear daily amount"
    if dosage.status == "open_range":
        return "dosage", f"it gives only {'an upper' if dosage.units_per_day_min is None else 'a lower'} limit"
    if dosage.status == "ok" and dosage.unit is None:
        return "dosage", "it does not say in which unit (capsule, mL, ...)"
    if dosage.duration_kind == "unparsable":
        return "duration", dosage.problem or "it is no length of time"
    return None


@dataclass(frozen=True, kw_only=True)
class UnreadGroup:
    """Texts that could not be read for one reason: how many, on how many recommendations, and the most frequent."""

    lines: int
    texts: int
    example: UnreadDosage


def group_by_reason(unread: Sequence[UnreadDosage]) -> list[UnreadGroup]:
    """The reason with most recommendations first: what is worth writing more clearly, or teaching this program."""
    groups: dict[tuple[str, str], list[UnreadDosage]] = {}
    for text in unread:
        groups.setdefault((text.what, text.reason.casefold()), []).append(text)
    unread_groups = [
        UnreadGroup(lines=sum(text.lines for text in texts), texts=len(texts), example=texts[0])
        for texts in groups.values()
    ]
    return sorted(unread_groups, key=lambda group: -group.lines)
