"""Change detection over the catalog's history, and what a digest of it holds.

What does not belong here: pulling the catalog, HTML, anything about patients beyond counts of active plans.
"""

from fullscript_pipeline.catalog.changes import CatalogChange, build_catalog_changes, changes_between
from fullscript_pipeline.catalog.days import last_observed, observed_days
from fullscript_pipeline.catalog.lanes import Coverage, Digest, Lane, digest_between, make_digest
from fullscript_pipeline.catalog.output import delta, format_table, named, plans, title, to_csv, to_jsonl

__all__ = [
    "CatalogChange",
    "Coverage",
    "Digest",
    "Lane",
    "build_catalog_changes",
    "changes_between",
    "delta",
    "digest_between",
    "format_table",
    "last_observed",
    "make_digest",
    "named",
    "observed_days",
    "plans",
    "title",
    "to_csv",
    "to_jsonl",
]
