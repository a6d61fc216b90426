"""Which named switch a probe's facts support.

What does not belong here: storing switches (`api.assumptions`), what the pipeline does with them.
"""

from collections.abc import Sequence

from fullscript_pipeline.api import WHOLE_UTC_DAYS
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.probe.fact_table import JudgedFact

# Switch -> the facts that have to be as documented.
_NEEDS = {WHOLE_UTC_DAYS: ("filter_zone", "filter_range", "filter_edges")}


def unsupported_facts(switch: str, judged: Sequence[JudgedFact]) -> list[str]:
    """The facts that a switch needs and that were not seen as documented. Raises UsageError for an unknown switch."""
    if switch not in _NEEDS:
        raise UsageError(f"There is no switch {switch!r}; there are: {', '.join(_NEEDS)}.")
    seen = {each.fact.name for each in judged if each.verdict.word == "as documented"}
    return [name for name in _NEEDS[switch] if name not in seen]
