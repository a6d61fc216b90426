"""Tests of change detection and digests."""
