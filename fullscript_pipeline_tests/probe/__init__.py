"""Tests of `probe`. What does not belong here: tests of other rooms."""
