"""What changed since we last looked, and what to fetch for it: plain functions that sensor and command line both call.

What does not belong here: Dagster, how a resource is fetched and loaded (`extraction`).
"""

from fullscript_pipeline.refresh.apply import Refreshed, apply, handled
from fullscript_pipeline.refresh.look import Round, asked, look

__all__ = ["Refreshed", "Round", "apply", "asked", "handled", "look"]
