"""Asset specs as the UI shows them: what a table is, where it comes from, the scope it needs, how often, PHI or not.

What does not belong here: how a table is filled, and what its columns mean (docs/data-dictionary.toml).
"""

from collections.abc import Sequence

import dagster as dg

OWNER = "team:data-engineering"
DAILY = "Daily, the present only"


def core(
    table: str,
    group: str,
    what: str,
    endpoint: str,
    scope: str,
    *,
    phi: bool,
    cadence: str = DAILY,
    deps: Sequence[str] = (),
) -> dg.AssetSpec:
    """A table of `core`; `deps` are other asset keys as `schema/table`."""
    return dg.AssetSpec(
        dg.AssetKey(["core", table]),
        description=(f"{what}\n\nSource: `{endpoint}`. Scope: `{scope}`. {cadence}. PHI: {'yes' if phi else 'no'}."),
        group_name=group,
        owners=[OWNER],
        kinds={"duckdb", "fullscript"},
        tags={"phi": "yes" if phi else "no"},
        deps=[dg.AssetKey(one.split("/")) for one in deps],
    )


def made(
    key: str, group: str, what: str, *, phi: bool, kinds: set[str], deps: Sequence[dg.AssetDep | str]
) -> dg.AssetSpec:
    """A mart or a report, made from other tables."""
    return dg.AssetSpec(
        dg.AssetKey(key.split("/")),
        description=f"{what}\n\nMade from the warehouse, no request. PHI: {'yes' if phi else 'no'}.",
        group_name=group,
        owners=[OWNER],
        kinds=kinds,
        tags={"phi": "yes" if phi else "no"},
        deps=[dg.AssetKey(one.split("/")) if isinstance(one, str) else one for one in deps],
    )


def latest(key: str) -> dg.AssetDep:
    """A dependency on a table of the other grid: a clinic's marts use whatever the region's catalog last said."""
    return dg.AssetDep(dg.AssetKey(key.split("/")), partition_mapping=dg.LastPartitionMapping())
