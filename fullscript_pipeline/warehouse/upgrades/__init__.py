"""A warehouse of an earlier version becomes one of this version."""

from fullscript_pipeline.warehouse.upgrades.migrations import migrate, statements
from fullscript_pipeline.warehouse.upgrades.retyping import retype

__all__ = [
    "migrate",
    "retype",
    "statements",
]
