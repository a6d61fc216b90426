"""Tests of `fullscript_pipeline.state`."""
