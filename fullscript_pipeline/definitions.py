"""Where Dagster finds the project."""

from fullscript_pipeline.build import build_defs

defs = build_defs()
