"""Tests of `fullscript_pipeline.api`."""
