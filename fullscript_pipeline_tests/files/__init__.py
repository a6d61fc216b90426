"""Tests of `fullscript_pipeline.files`."""
