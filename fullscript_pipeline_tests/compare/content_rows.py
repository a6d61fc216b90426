"""Rows of what plans and protocols hold: lines, documents, lab panels. What does not belong here: everything else."""

from typing import Any

from fullscript_pipeline_tests.compare.values import text, whole
from fullscript_pipeline_tests.compare.warehouse_rows import Record

Rows = dict[str, list[dict[str, Any]]]


def content_rows(owners: list[Record], key: str, lines: str, documents: str, panels: str) -> Rows:
    """The arrays of plans or protocols."""
    return {
        lines: [_line(key, row, *one) for row in owners for one in enumerate(row.get("recommendations") or [])],
        documents: [
            {key: row["id"], "position": place, **resource_row(one)}
            for row in owners
            for place, one in enumerate(row.get("resources") or [])
        ],
        panels: [_panel(key, row, *one) for row in owners for one in enumerate(row.get("lab_recommendations") or [])],
    }


def _line(key: str, owner: Record, place: int, row: Record) -> Record:
    dosage = row.get("dosage") or {}
    return {
        key: owner["id"],
        "position": place,
        "variant_id": text(row["variant_id"]),
        "units_to_purchase": whole(row["units_to_purchase"]),
        "refill": row["refill"],
        "take_with": text(row["take_with"]),
        **{
            f"dosage_{name}": text(dosage.get(name))
            for name in ("amount", "frequency", "duration", "format", "additional_info")
        },
        "dosage_time_of_day": list(dosage.get("time_of_day") or []),
    }


def _panel(key: str, owner: Record, place: int, row: Record) -> Record:
    return {
        key: owner["id"],
        "position": place,
        "lab_recommendation_id": row["id"],
        "name": text(row["name"]),
        "requires_fasting": row["requires_fasting"],
        "instructions": text(row["instructions"]),
        "lab_test_ids": [test["id"] for test in row["tests"]],
        "lab_test_names": [test["name"] for test in row["tests"]],
    }


def resource_row(row: Record) -> Record:
    return {
        "resource_id": row["id"],
        "name": text(row["name"]),
        "resource_type": text(row["type"]),
        "category": text(row["category"]),
        "attachment_url": text(row["attachment_url"]),
    }
