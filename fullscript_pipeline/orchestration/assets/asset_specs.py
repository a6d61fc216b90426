"""Asset specs as the UI shows them: what a table is, where it comes from, the scope it needs, how often, PHI or not.

What does not belong here: how a table is filled, and what its columns mean (`column_meanings.toml`).
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from fullscript_pipeline.orchestration.assets.page_links import VENDOR_DOCS
from fullscript_pipeline.resources.types import Resource

OWNER = "team:data-engineering"


def table_specs(*resources: Resource) -> list[dg.AssetSpec]:
    """A spec for every table that the pulls of these resources fill."""
    return [_table_spec(resource, table) for resource in resources for table in resource.table_names]


def _table_spec(resource: Resource, table: str) -> dg.AssetSpec:
    phi = "yes" if resource.contains_phi else "no"
    return dg.AssetSpec(
        dg.AssetKey(["core", table]),
        description=(
            f"{resource.texts[table]}\n\nSource: `{resource.shown_source}`. Scope: `{resource.shown_scope}`. "
            f"{resource.cadence_of(table)}. PHI: {phi}. "
            f"[The vendor's reference]({VENDOR_DOCS})"
        ),
        group_name=resource.group,
        owners=[OWNER],
        kinds={"duckdb", "fullscript"},
        tags={"phi": phi},
        deps=[dg.AssetKey(["core", source]) for source in resource.made_from.get(table, ())],
        # A day that is over gets nothing (`closed_days`).
        skippable=True,
    )


def derived_spec(
    key: str, group: str, what: str, *, phi: bool, kinds: set[str], deps: Sequence[dg.AssetDep | str], **more: Any
) -> dg.AssetSpec:
    """A mart or a report, made from other tables. `more`: other fields of the spec."""
    return dg.AssetSpec(
        dg.AssetKey(key.split("/")),
        description=f"{what}\n\nMade from the warehouse, no request. PHI: {'yes' if phi else 'no'}.",
        group_name=group,
        owners=[OWNER],
        kinds=kinds,
        tags={"phi": "yes" if phi else "no"},
        deps=[dg.AssetKey(one.split("/")) if isinstance(one, str) else one for one in deps],
        **more,
    )


def latest_dep(key: str) -> dg.AssetDep:
    """A dependency on a table of the other grid: what it last said is used, whichever partition said it.

    So no partition of it is a dependency of a cell. With the last one, every pull of another region or of a later day
    would mark cells of days that are over as out of date ("Unsynced"), and nothing could mend that.
    """
    return dg.AssetDep(dg.AssetKey(key.split("/")), partition_mapping=dg.SpecificPartitionsPartitionMapping([]))
