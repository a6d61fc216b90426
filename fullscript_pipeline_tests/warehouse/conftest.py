"""A migrated warehouse per test."""

from fullscript_pipeline_tests.helpers.empty_warehouse import empty_file, warehouse

__all__ = ["empty_file", "warehouse"]
