"""Compares every table of core, row by row, with what a sandbox's API says; shares no code with the extraction."""
