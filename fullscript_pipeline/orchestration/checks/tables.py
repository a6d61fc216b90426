"""Checks of the tables that a run has just written: unique keys, rows without a parent, impossible figures.

They block the steps after them: no page is written from a wrong table. What does not belong here: the state of the
whole installation (`health`), event feeds and webhooks (`events`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
import duckdb

from fullscript_pipeline.orchestration.assets import Failed
from fullscript_pipeline.orchestration.runtime import StateResource, WarehouseResource
from fullscript_pipeline.plural import counted
from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Table

_TABLES = {table.name: table for table in ALL_TABLES}
# What pages and digests are made from.
# Patients by themselves: plans are read by their ids, and wait for this check.
_PEOPLE_KEYS = ("patients",)
_CLINIC_KEYS = ("treatment_plans", "recommendations", "orders", "order_line_items", "lab_orders")
_REGION_KEYS = ("brands", "products", "variants")
_REPAIR = "What to do: do not use the pages of that clinic, keep the landing files, and report a bug with the run's id."


@dataclass(frozen=True, kw_only=True)
class _OrphanRule:
    """The rule that every row of `table` has its `parent`. `blocks`: otherwise a page would show wrong data."""

    table: str
    parent: str
    column: str
    blocks: bool
    todo: str

    @property
    def name(self) -> str:
        return f"have_their_{self.column.removesuffix('_id')}"


_ORPHAN_RULES = (
    _OrphanRule(
        table="recommendations", parent="treatment_plans", column="treatment_plan_id", blocks=True, todo=_REPAIR
    ),
    _OrphanRule(table="order_line_items", parent="orders", column="order_id", blocks=True, todo=_REPAIR),
    _OrphanRule(
        table="treatment_plans",
        parent="patients",
        column="patient_id",
        blocks=False,
        todo="What to do: usually the account that connected sees fewer patients than plans; connect as the clinic's "
        "owner.",
    ),
    _OrphanRule(
        table="orders",
        parent="patients",
        column="patient_id",
        blocks=False,
        todo="What to do: such orders are kept, but on no page; connect as the clinic's owner, and look whether the "
        "patient was removed.",
    ),
    _OrphanRule(
        table="variants",
        parent="products",
        column="product_id",
        blocks=False,
        todo="What to do: wait for the next catalog run, which looks it up; if it stays, quote the ids to the vendor.",
    ),
)


def _unique_spec(table: str) -> dg.AssetCheckSpec:
    key = ", ".join(_TABLES[table].key_columns)
    return dg.AssetCheckSpec(
        "keys_are_unique",
        asset=dg.AssetKey(["core", table]),
        blocking=True,
        description=f"No two rows have the same {key}. {_REPAIR}",
    )


def _parent_spec(rule: _OrphanRule) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        rule.name,
        asset=dg.AssetKey(["core", rule.table]),
        blocking=rule.blocks,
        description=f"Every {rule.column} is one of core.{rule.parent}. {rule.todo}",
    )


def _specs(tables: tuple[str, ...]) -> list[dg.AssetCheckSpec]:
    return [_unique_spec(table) for table in tables] + [
        _parent_spec(rule) for rule in _ORPHAN_RULES if rule.table in tables
    ]


@dg.multi_asset_check(name="patients_are_sound", specs=_specs(_PEOPLE_KEYS))
def patients_are_sound(
    context: dg.AssetCheckExecutionContext, state: StateResource, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    yield from _check_tables(context, warehouse, _clinic_of(context, state))


@dg.multi_asset_check(name="clinic_tables_are_sound", specs=_specs(_CLINIC_KEYS), can_subset=True)
def clinic_tables_are_sound(
    context: dg.AssetCheckExecutionContext, state: StateResource, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    yield from _check_tables(context, warehouse, _clinic_of(context, state))


@dg.multi_asset_check(name="catalog_tables_are_sound", specs=_specs(_REGION_KEYS), can_subset=True)
def catalog_tables_are_sound(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    yield from _check_tables(context, warehouse, context.run.tags.get("dagster/partition/region"))


def _owner_metadata(context: dg.AssetCheckExecutionContext) -> dict[str, str]:
    """The clinic or region that a result is about; of a run without partition: all of them."""
    tags = context.run.tags
    for kind in ("clinic", "region"):
        if owner := tags.get(f"dagster/partition/{kind}") or tags.get(f"fullscript/{kind}"):
            return {kind: owner}
    return {"clinic": "all"}


def _clinic_of(context: dg.AssetCheckExecutionContext, state: StateResource) -> str | None:
    """The vendor's id of the clinic whose partition runs; None: all clinics."""
    key = context.run.tags.get("dagster/partition/clinic") or context.run.tags.get("fullscript/clinic")
    if key is None:
        return None
    with state.open() as store:
        return store.clinics.find(key).clinic_id


def _check_tables(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource, owner: str | None
) -> Iterator[dg.AssetCheckResult]:
    """Yields a result per check; then raises Failed with the messages of the blocking checks that failed."""
    rules, blocking = {(rule.table, rule.name): rule for rule in _ORPHAN_RULES}, []
    with warehouse.open().read() as con:
        for check in context.selected_asset_check_keys:
            table = _TABLES[check.asset_key.path[-1]]
            rule = rules.get((table.name, check.name))
            count = _count_orphans(con, rule, table, owner) if rule else _count_repeated_keys(con, table, owner)
            severe, sentence = rule is None or rule.blocks, _row_sentence(table, rule, count)
            if severe and count:
                blocking.append(sentence)
            yield dg.AssetCheckResult(
                passed=count == 0,
                asset_key=check.asset_key,
                check_name=check.name,
                severity=dg.AssetCheckSeverity.ERROR if severe else dg.AssetCheckSeverity.WARN,
                metadata={"rows": count, **(about := _owner_metadata(context))},
                description=f"{next(iter(about.values()))}: {sentence}",
            )
    _raise_blocking(blocking)


def _raise_blocking(sentences: Sequence[str]) -> None:
    """Fails the step with these messages; Dagster's own message would only name the failed checks."""
    if sentences:
        raise Failed(" ".join(sentences), metadata={"exit_code": 1}, allow_retries=False)


def _row_sentence(table: Table, rule: _OrphanRule | None, count: int) -> str:
    if not count:
        return "Every row passes."
    if rule is None:
        return f"{counted(count, 'key')} of core.{table.name} found more than once. {_REPAIR}"
    rows = counted(count, "row")
    return f"{rows} of core.{table.name} with a {rule.column} that core.{rule.parent} lacks. {rule.todo}"


def _count_repeated_keys(con: duckdb.DuckDBPyConnection, table: Table, owner: str | None) -> int:
    key = ", ".join(table.key_columns)
    groups = f"SELECT 1 FROM core.{table.name} WHERE {_owner_filter(table)} GROUP BY {key} HAVING count(*) > 1"
    return _count(con, f"SELECT count(*) FROM ({groups})", owner)


def _count_orphans(con: duckdb.DuckDBPyConnection, rule: _OrphanRule, table: Table, owner: str | None) -> int:
    scope, column = table.scope_column, rule.column
    return _count(
        con,
        # The parents too by a constant: a join by the scope alone would read those of all clinics.
        f"SELECT count(*) FROM (FROM core.{table.name} WHERE {_owner_filter(table)}) row "
        f"ANTI JOIN (FROM core.{rule.parent} WHERE {_owner_filter(table)}) parent "
        f"ON parent.{scope} = row.{scope} AND parent.{column} = row.{column} "
        f"WHERE row.{column} IS NOT NULL AND row.removed_at IS NULL",
        owner,
    )


def _owner_filter(table: Table) -> str:
    return f"($owner IS NULL OR {table.scope_column} = $owner)"


def _count(con: duckdb.DuckDBPyConnection, sql: str, owner: str | None) -> int:
    row = con.execute(sql, {"owner": owner}).fetchone()
    return int(row[0]) if row else 0


# Figures that cannot result from any plans and orders: each means that the computation is wrong.
_IMPOSSIBLE: Mapping[str, str] = {
    "a share below 0 or above 1": "least(pdc_min, pdc_max) < 0 OR greatest(pdc_min, pdc_max) > 1",
    "a lower bound above the upper": "pdc_min > pdc_max",
    "supply below nothing": "on_hand_days < 0 OR on_hand_units < 0",
    "a window that ends before it begins": "window_end < window_start",
    "no status": "status IS NULL",
    "covered, and run out": "status = 'covered' AND run_out_on <= as_of",
}


_FIGURES = dg.AssetCheckSpec(
    "figures_can_be_true",
    asset=dg.AssetKey(["marts", "adherence"]),
    blocking=True,
    description=(
        "There is one row per patient, plan and product, all as of one day; no share is outside 0 to 1, no supply is "
        f"negative, no window ends before it begins. Otherwise no page is written. {_REPAIR}"
    ),
)


@dg.multi_asset_check(name="figures_can_be_true", specs=[_FIGURES])
def figures_can_be_true(
    context: dg.AssetCheckExecutionContext, state: StateResource, warehouse: WarehouseResource
) -> Iterator[dg.AssetCheckResult]:
    with warehouse.open().read() as con:
        counts = count_impossible(con, _clinic_of(context, state))
    problems = "; ".join(f"{what}: {counted(count, 'row')}" for what, count in counts.items() if count)
    sentence = f"{problems}. {_REPAIR}" if problems else "No figure is impossible."
    yield dg.AssetCheckResult(
        passed=not problems,
        asset_key=_FIGURES.asset_key,
        check_name=_FIGURES.name,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"rows": sum(counts.values()), **(about := _owner_metadata(context))},
        description=f"{next(iter(about.values()))}: {sentence}",
    )
    _raise_blocking([sentence] if problems else [])


def count_impossible(con: duckdb.DuckDBPyConnection, clinic_id: str | None) -> dict[str, int]:
    """How many rows of the mart have each impossible figure; `clinic_id` None: of all clinics."""
    mine = "($owner IS NULL OR clinic_id = $owner)"
    counts = ", ".join(f"count(*) FILTER ({rule})" for rule in _IMPOSSIBLE.values())
    row = con.execute(f"SELECT {counts} FROM marts.adherence WHERE {mine}", {"owner": clinic_id}).fetchone()
    key = "clinic_id, patient_id, treatment_plan_id, product_id"
    groups = f"SELECT 1 FROM marts.adherence WHERE {mine} GROUP BY {key} HAVING count(*) > 1"
    days = f"SELECT 1 FROM marts.adherence WHERE {mine} GROUP BY clinic_id HAVING count(DISTINCT as_of) > 1"
    return {
        **dict(zip(_IMPOSSIBLE, row or (), strict=True)),
        "the same product twice in a plan": _count(con, f"SELECT count(*) FROM ({groups})", clinic_id),
        "more than one day": _count(con, f"SELECT count(*) FROM ({days})", clinic_id),
    }


TABLE_CHECKS = (patients_are_sound, clinic_tables_are_sound, catalog_tables_are_sound, figures_can_be_true)
