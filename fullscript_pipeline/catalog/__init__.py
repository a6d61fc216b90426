"""Detects changes in the catalog's history and sorts them into digests.

What does not belong here: pulling the catalog, HTML, anything about patients beyond counts of active plans.
"""

from fullscript_pipeline.catalog.catalog_gaps import (
    count_products_by_source,
    count_unknown_variants,
    format_catalog_gaps,
)
from fullscript_pipeline.catalog.catalog_sides import Side, SideVariant, read_exported_side, read_side
from fullscript_pipeline.catalog.change_message import digest_message, message_id
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
    BYTE_ORDER_MARK,
    CSV_COLUMNS,
    delta_text,
    digest_heading,
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
from fullscript_pipeline.catalog.plan_counts import SMALL, plans_text, shown_plans
from fullscript_pipeline.catalog.product_history import (
    ProductHistory,
    ProductVariant,
    VariantStretch,
    load_product_histories,
    load_product_history,
)
from fullscript_pipeline.catalog.product_search import FoundProduct, find_products
from fullscript_pipeline.catalog.schema import JSONL_SCHEMA, JSONL_VERSION
from fullscript_pipeline.catalog.sections import (
    EARLIER_WORDS,
    SECTIONS,
    Entry,
    Section,
    fold_changes,
    is_alarming,
    make_sections,
    price_step,
    section_of,
)
from fullscript_pipeline.catalog.side_comparison import MatchBy, SideComparison, SideDifference, compare_sides
from fullscript_pipeline.catalog.stock_states import Shortage, load_shortages, shortage_reason
from fullscript_pipeline.catalog.successors import Successor, find_successors

__all__ = [
    "BYTE_ORDER_MARK",
    "CSV_COLUMNS",
    "DEFAULT_ENTITIES",
    "EARLIER_WORDS",
    "JSONL_SCHEMA",
    "JSONL_VERSION",
    "SECTIONS",
    "SMALL",
    "CatalogChange",
    "Coverage",
    "Digest",
    "Entry",
    "FoundProduct",
    "MatchBy",
    "ProductHistory",
    "ProductVariant",
    "Section",
    "Shortage",
    "Side",
    "SideComparison",
    "SideDifference",
    "SideVariant",
    "Successor",
    "VariantStretch",
    "baseline_day",
    "build_catalog_changes",
    "changes_between",
    "compare_sides",
    "count_products_by_source",
    "count_unknown_variants",
    "coverage_between",
    "coverage_by_day",
    "delta_text",
    "digest_between",
    "digest_heading",
    "digest_message",
    "digest_title",
    "end_of",
    "explain_substitute_day",
    "find_products",
    "find_successors",
    "fold_changes",
    "format_catalog_gaps",
    "format_coverage",
    "format_product_history",
    "format_table",
    "is_alarming",
    "is_released",
    "last_observed",
    "load_product_histories",
    "load_product_history",
    "load_shortages",
    "make_digest",
    "make_sections",
    "message_id",
    "object_label",
    "observed_days",
    "plans_sum_text",
    "plans_text",
    "price_change_percent",
    "price_step",
    "read_exported_side",
    "read_side",
    "rebuild_start",
    "record_digest",
    "release_held_digest",
    "section_of",
    "shortage_reason",
    "shown_plans",
    "to_csv",
    "to_jsonl",
]
