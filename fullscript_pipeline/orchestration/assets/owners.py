"""Whose partition a run is of: the tag of its clinic or region, and how many rows of a table are theirs.

What does not belong here: the day of the partition (`asset_steps`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.warehouse import Warehouse, lookups


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose rows a partition is about: a column of the tables and its value."""

    kind: Literal["clinic", "region"]
    value: str

    @property
    def column(self) -> str:
        return "clinic_id" if self.kind == "clinic" else "region"


def owner_of(target: Target) -> Owner:
    """A clinic's id, or the region of a target that is of no clinic."""
    clinic = target.clinic
    return Owner(kind="clinic", value=clinic.clinic_id) if clinic else Owner(kind="region", value=target.region)


def tag_run_with_owner(context: dg.AssetExecutionContext) -> None:
    """Gives the run the tag of its clinic or region, as a schedule, sensor or command does."""
    tags = context.run.tags
    for kind in ("clinic", "region"):
        owner = tags.get(f"dagster/partition/{kind}")
        if owner and f"fullscript/{kind}" not in tags:
            context.instance.add_run_tags(context.run.run_id, {f"fullscript/{kind}": owner})


def row_counts(
    warehouse: Warehouse, tables: Iterable[str], owner: Owner | None = None
) -> dict[str, dict[str, dg.MetadataValue]]:
    """How many rows each table (`schema.name`) has, and how many of them are the owner's."""
    names = list(tables)
    with warehouse.read() as con:
        counts = lookups.row_counts(con, names)
        owned = lookups.owned_row_counts(con, names, column=owner.column, value=owner.value) if owner else {}
    rows: dict[str, dict[str, dg.MetadataValue]] = {
        name: {"dagster/row_count": dg.MetadataValue.int(count)} for name, count in counts.items()
    }
    for name, count in owned.items():
        rows[name][f"rows_of_{owner.kind}" if owner else ""] = dg.MetadataValue.int(count)
    return rows
