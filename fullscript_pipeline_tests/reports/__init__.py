"""Tests of the pages: words, drawings, files, HTML."""
