"""A region's catalog, what changed in it, and the digest."""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline.extraction import catalog as catalog_pulls
from fullscript_pipeline.orchestration import digest, specs
from fullscript_pipeline.orchestration.partitions import region_days
from fullscript_pipeline.orchestration.resources import FullscriptResource, ReportsResource, WarehouseResource
from fullscript_pipeline.orchestration.steps import cell_of, open_target, results, told_in_a_sentence

Results = Iterator[dg.MaterializeResult[None]]

_REFERENCE = tuple(table.name for table in catalog_pulls.REFERENCE_LISTS)
_PRODUCT_TABLES = ("products", "variants", "categories", "category_products")


@dg.multi_asset(
    name="reference_lists",
    partitions_def=region_days,
    specs=[
        specs.core(
            table,
            "catalog",
            f"The catalog's {table.replace('_', ' ')}, every version kept.",
            f"GET /catalog/{table}",
            "catalog:read",
            phi=False,
        )
        for table in _REFERENCE
    ],
)
def reference_lists(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with told_in_a_sentence(), fullscript.region_sessions(cell_of(context)[0]) as sessions:
        c = sessions[0].clinic
        target = open_target(context, warehouse.open(), server=c.server, region=c.region, clinic=None)
        reports = [
            catalog_pulls.pull_reference_list(target, sessions, table) for table in catalog_pulls.REFERENCE_LISTS
        ]
        yield from results(reports, _REFERENCE)


@dg.multi_asset(
    name="products",
    partitions_def=region_days,
    specs=[
        specs.core(
            table,
            "catalog",
            what,
            "GET /catalog/products (restricted), else categories and products by id",
            "catalog:read",
            phi=False,
        )
        for table, what in (
            ("products", "Products, every version kept; a product is gone only when every clinic is told 404."),
            ("variants", "The variants of each product: size, price (msrp), availability."),
            ("categories", "Each clinic's categories."),
            ("category_products", "Which products each category shows."),
        )
    ],
)
def products(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with told_in_a_sentence(), fullscript.region_sessions(cell_of(context)[0]) as sessions:
        c = sessions[0].clinic
        target = open_target(context, warehouse.open(), server=c.server, region=c.region, clinic=None)
        yield from results(catalog_pulls.pull_products(target, sessions), _PRODUCT_TABLES)


@dg.multi_asset(
    name="catalog_changes",
    partitions_def=region_days,
    specs=[
        specs.made(
            "marts/catalog_changes",
            "catalog",
            "Field by field: what changed between consecutive observations of the catalog.",
            phi=False,
            kinds={"duckdb", "sql"},
            deps=["core/brands", "core/products", "core/variants", "core/ingredients"],
        )
    ],
)
def catalog_changes(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Results:
    with told_in_a_sentence():
        region, _ = cell_of(context)
        rows = digest.rebuild_changes(warehouse.open(), region)
    yield dg.MaterializeResult(asset_key=["marts", "catalog_changes"], metadata={"rows": rows})


@dg.multi_asset(
    name="catalog_digest",
    partitions_def=region_days,
    specs=[
        specs.made(
            "reports/catalog_digest",
            "reports",
            "The digest page: what changed since the day before, and how many active plans it touches.",
            phi=False,
            kinds={"html"},
            deps=["marts/catalog_changes"],
        )
    ],
)
def catalog_digest(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, reports: ReportsResource
) -> Results:
    with told_in_a_sentence():
        region, day = cell_of(context)
        metadata = digest.write_digest(warehouse.open(), reports.open(), region, day)
    yield dg.MaterializeResult(asset_key=["reports", "catalog_digest"], metadata=metadata)
