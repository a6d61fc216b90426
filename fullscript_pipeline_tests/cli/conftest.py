"""The console script in the process of the test, and a migrated warehouse."""

from fullscript_pipeline_tests.helpers.command_runs import run
from fullscript_pipeline_tests.helpers.empty_warehouse import empty_file, warehouse

__all__ = ["empty_file", "run", "warehouse"]
