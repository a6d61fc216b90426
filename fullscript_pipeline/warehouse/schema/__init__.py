"""The descriptions of the tables."""
