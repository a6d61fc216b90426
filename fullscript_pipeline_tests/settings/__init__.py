"""Tests of `fullscript_pipeline.settings`."""
