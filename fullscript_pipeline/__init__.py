"""A clinic's Fullscript data, pulled daily into DuckDB and turned into pages that people act on."""

__version__ = "0.1.0"
