"""Change detection over the catalog's history, and what a digest of it holds.

What does not belong here: pulling the catalog, HTML, anything about patients beyond counts of active plans.
"""

from fullscript_pipeline.catalog.catalog_gaps import found_by, unknown_text, unknown_variants
from fullscript_pipeline.catalog.changes import (
    CatalogChange,
    build_catalog_changes,
    changes_between,
    not_built_since,
)
from fullscript_pipeline.catalog.coverage import Coverage, coverage_between, coverage_by_day
from fullscript_pipeline.catalog.digest import LANES, Digest, Lane, digest_between, lane_of, make_digest
from fullscript_pipeline.catalog.digest_log import day_to_compare, is_released, note_digest, release
from fullscript_pipeline.catalog.entities import DEFAULT_ENTITIES
from fullscript_pipeline.catalog.formats import (
    CSV_COLUMNS,
    coverage_table,
    delta,
    format_table,
    life_text,
    named,
    plans,
    price_step,
    title,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.catalog.observed_days import last_observed, observed_days, standing_in
from fullscript_pipeline.catalog.product_history import find_products, life_of
from fullscript_pipeline.catalog.schema import JSONL_SCHEMA, JSONL_VERSION

__all__ = [
    "CSV_COLUMNS",
    "DEFAULT_ENTITIES",
    "JSONL_SCHEMA",
    "JSONL_VERSION",
    "LANES",
    "CatalogChange",
    "Coverage",
    "Digest",
    "Lane",
    "build_catalog_changes",
    "changes_between",
    "coverage_between",
    "coverage_by_day",
    "coverage_table",
    "day_to_compare",
    "delta",
    "digest_between",
    "find_products",
    "format_table",
    "found_by",
    "is_released",
    "lane_of",
    "last_observed",
    "life_of",
    "life_text",
    "make_digest",
    "named",
    "not_built_since",
    "note_digest",
    "observed_days",
    "plans",
    "price_step",
    "release",
    "standing_in",
    "title",
    "to_csv",
    "to_jsonl",
    "unknown_text",
    "unknown_variants",
]
