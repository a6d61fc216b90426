"""Change detection over the catalog's history, and what a digest of it holds.

What does not belong here: pulling the catalog, HTML, anything about patients beyond counts of active plans.
"""

from fullscript_pipeline.catalog.changes import CatalogChange, build_catalog_changes, changes_between
from fullscript_pipeline.catalog.days import last_observed, observed_days

__all__ = ["CatalogChange", "build_catalog_changes", "changes_between", "last_observed", "observed_days"]
