"""The thresholds of the adherence method. They are settings, so the class and its defaults stand in settings.py.

What does not belong here: what the thresholds are applied to (sql/).
"""

from fullscript_pipeline.settings import AdherencePolicy as Policy

__all__ = ["Policy"]
