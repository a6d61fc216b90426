"""A region's catalog, what changed in it, and the digest.

What does not belong here: how a catalog is read (`extraction.pulls`) and compared (`catalog`).
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import dagster as dg

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.extraction.pulls import REFERENCE_LISTS, pull_product_events
from fullscript_pipeline.extraction.pulls import catalog as catalog_pulls
from fullscript_pipeline.extraction.pulls import optional_resources as extra_pulls
from fullscript_pipeline.orchestration.assets import asset_specs, digest_rebuild
from fullscript_pipeline.orchestration.assets.asset_steps import partition_of, region_step
from fullscript_pipeline.orchestration.assets.closed_days import of_the_present
from fullscript_pipeline.orchestration.assets.column_lineage import column_lineage
from fullscript_pipeline.orchestration.assets.owners import Owner, row_counts, tag_run_with_owner
from fullscript_pipeline.orchestration.assets.step_failures import pipeline_errors_as_failures
from fullscript_pipeline.orchestration.runtime import (
    FullscriptResource,
    ReportsResource,
    StateResource,
    WarehouseResource,
)
from fullscript_pipeline.resources import resource_named
from fullscript_pipeline.resources.brands import CLINIC_BRANDS_RESOURCE
from fullscript_pipeline.resources.categories import CATEGORIES_RESOURCE
from fullscript_pipeline.resources.product_attributes import ATTRIBUTE_RESOURCES
from fullscript_pipeline.resources.product_searches import PRODUCT_SEARCHES_RESOURCE, SIMILAR_PRODUCTS_RESOURCE
from fullscript_pipeline.resources.products import PRODUCTS_RESOURCE
from fullscript_pipeline.resources.reference_lists import PRACTITIONER_TYPES

Results = Iterator[dg.MaterializeResult[None]]

_DIGEST = dg.AssetKey(["reports", "catalog_digest"])
_NO_MASS_CHANGE = "no_mass_change"
_REFERENCE = (*(resource_named(table.name) for table in REFERENCE_LISTS), CLINIC_BRANDS_RESOURCE)
_PRODUCTS = (
    *(PRODUCTS_RESOURCE, CATEGORIES_RESOURCE, SIMILAR_PRODUCTS_RESOURCE, PRODUCT_SEARCHES_RESOURCE),
    *ATTRIBUTE_RESOURCES,
)
# What changes of a catalog are told from.
_COMPARED = [
    *(table.name for table in REFERENCE_LISTS if table is not PRACTITIONER_TYPES),
    *("products", "variants", "categories", "category_products"),
]
# The active plans that a change touches are counted in them.
_COUNTED = ("treatment_plans", "recommendations")


@dg.multi_asset(
    name="reference_lists",
    specs=asset_specs.table_specs(*_REFERENCE),
)
@of_the_present
def reference_lists(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    with region_step(context, fullscript, warehouse) as step:
        yield from step.results(catalog_pulls.pull_reference_lists(step.target, step.sessions), *_REFERENCE)


@dg.multi_asset(
    name="products",
    specs=asset_specs.table_specs(*_PRODUCTS),
)
@of_the_present
def products(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Results:
    if sentence := missing_comparison(context.run.asset_selection):
        context.log.warning(sentence)
    with region_step(context, fullscript, warehouse) as step:
        settings = step.settings
        # Before the products: an event dates what they are about to show.
        heard = pull_product_events(step.target, step.sessions, step.store)
        connected = {clinic.clinic_id for clinic in step.store.clinics.all() if clinic.region == step.target.region}
        everybody = connected <= {session.clinic.clinic_id for session in step.sessions}
        pulled = catalog_pulls.pull_products(step.target, step.sessions, asks_every_clinic=everybody)
        reports = [*heard.reports, *pulled]
        heard.close_events(step.store, step.target.day.isoformat())
        reports += extra_pulls.pull_region_extras(step.target, step.sessions, settings.extras, settings.sweep_days)
        yield from step.results(reports, *_PRODUCTS)


def missing_comparison(chosen: AbstractSet[dg.AssetKey] | None) -> str | None:
    """A warning for a run that was chosen without the digest, whose check is what holds a mass change."""
    if chosen is None or _DIGEST in chosen:
        return None
    return (
        "This run reads products and compares nothing: a mass change is not noticed. Materialize "
        "marts/catalog_changes and reports/catalog_digest of the same partition, too."
    )


@dg.multi_asset(
    name="catalog_changes",
    specs=[
        asset_specs.derived_spec(
            "marts/catalog_changes",
            "catalog",
            "Field by field: what changed between consecutive observations of the catalog.",
            phi=False,
            kinds={"duckdb", "sql"},
            deps=[f"core/{table}" for table in _COMPARED],
        )
    ],
)
def catalog_changes(context: dg.AssetExecutionContext, warehouse: WarehouseResource) -> Results:
    with pipeline_errors_as_failures():
        tag_run_with_owner(context)
        region, day = partition_of(context)
        opened = warehouse.open()
        rows = digest_rebuild.rebuild_changes(opened, region, day, warehouse.settings.read().time_zone)
    counted = row_counts(opened, ["marts.catalog_changes"], Owner(kind="region", value=region))["marts.catalog_changes"]
    yield dg.MaterializeResult(
        asset_key=["marts", "catalog_changes"],
        metadata={"rows": rows, **counted, **column_lineage("marts/catalog_changes")},
    )


@dg.multi_asset(
    name="catalog_digest",
    specs=[
        asset_specs.derived_spec(
            "reports/catalog_digest",
            "reports",
            "The digest page: what changed since the day before, and how many active plans it touches.",
            phi=False,
            kinds={"html"},
            deps=["marts/catalog_changes", *(asset_specs.latest_dep(f"core/{table}") for table in _COUNTED)],
        )
    ],
    check_specs=[
        dg.AssetCheckSpec(
            _NO_MASS_CHANGE,
            asset=_DIGEST,
            description="At most 20 % of the products gone and 50 % of the prices moved; else the digest is held.",
        )
    ],
)
def catalog_digest(
    context: dg.AssetExecutionContext,
    warehouse: WarehouseResource,
    reports: ReportsResource,
    state: StateResource,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    with pipeline_errors_as_failures():
        tag_run_with_owner(context)
        region, day = partition_of(context)
        settings = warehouse.settings.read()
        with warehouse.open().write() as con:
            written = digest_rebuild.write_digest(con, reports.open(), settings, region=region, day=day)
        held = digest_rebuild.held_sentence(region, day, written.held) if written.held else None
        yield dg.AssetCheckResult(
            passed=held is None, check_name=_NO_MASS_CHANGE, asset_key=_DIGEST, description=held or "No mass change."
        )
        if held:
            # Nobody should act on it: the square stays red until the digest is released.
            raise PipelineError(held)
        for sentence in digest_rebuild.send_digest(state, settings, written):
            context.log.info(sentence)
    yield dg.MaterializeResult(asset_key=_DIGEST, metadata=digest_rebuild.metadata_of(written, settings))


def with_mass_change_check(steps: frozenset[dg.AssetKey]) -> frozenset[dg.AssetKey]:
    """Chosen steps of a region, and those that compare what they read: a partial pull is held as a whole one is."""
    return steps | catalog_changes.keys | catalog_digest.keys if steps else steps
