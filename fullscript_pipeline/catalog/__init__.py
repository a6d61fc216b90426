"""Detects changes in the catalog's history and sorts them into digests.

What does not belong here: pulling the catalog, HTML, anything about patients beyond counts of active plans.
"""

from fullscript_pipeline.catalog.catalog_gaps import (
    count_products_by_source,
    count_unknown_variants,
    format_catalog_gaps,
)
from fullscript_pipeline.catalog.changes import (
    CatalogChange,
    build_catalog_changes,
    changes_between,
    rebuild_start,
)
from fullscript_pipeline.catalog.coverage import Coverage, coverage_between, coverage_by_day
from fullscript_pipeline.catalog.digest import Digest, digest_between, make_digest
from fullscript_pipeline.catalog.digest_log import baseline_day, is_released, record_digest, release_held_digest
from fullscript_pipeline.catalog.entities import DEFAULT_ENTITIES
from fullscript_pipeline.catalog.formats import (
    CSV_COLUMNS,
    active_plans_text,
    delta_text,
    digest_title,
    format_coverage,
    format_product_history,
    format_table,
    object_label,
    plans_sum_text,
    price_change_percent,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.catalog.observed_days import end_of, explain_substitute_day, last_observed, observed_days
from fullscript_pipeline.catalog.product_history import find_products, load_product_history
from fullscript_pipeline.catalog.schema import JSONL_SCHEMA, JSONL_VERSION
from fullscript_pipeline.catalog.sections import EARLIER_WORDS, SECTIONS, Entry, Section, is_alarming, price_step
from fullscript_pipeline.catalog.successors import Successor, find_successors

__all__ = [
    "CSV_COLUMNS",
    "DEFAULT_ENTITIES",
    "EARLIER_WORDS",
    "JSONL_SCHEMA",
    "JSONL_VERSION",
    "SECTIONS",
    "CatalogChange",
    "Coverage",
    "Digest",
    "Entry",
    "Section",
    "Successor",
    "active_plans_text",
    "baseline_day",
    "build_catalog_changes",
    "changes_between",
    "count_products_by_source",
    "count_unknown_variants",
    "coverage_between",
    "coverage_by_day",
    "delta_text",
    "digest_between",
    "digest_title",
    "end_of",
    "explain_substitute_day",
    "find_products",
    "find_successors",
    "format_catalog_gaps",
    "format_coverage",
    "format_product_history",
    "format_table",
    "is_alarming",
    "is_released",
    "last_observed",
    "load_product_history",
    "make_digest",
    "object_label",
    "observed_days",
    "plans_sum_text",
    "price_change_percent",
    "price_step",
    "rebuild_start",
    "record_digest",
    "release_held_digest",
    "to_csv",
    "to_jsonl",
]
