"""The console script in the process of the test."""

from fullscript_pipeline_tests.helpers.command_runs import run

__all__ = ["run"]
