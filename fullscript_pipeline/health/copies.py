"""Whether the copies for analysts are ones that cannot be undone.

What does not belong here: making them (`warehouse.publish`).
"""

from collections.abc import Iterator

from fullscript_pipeline.health.finding import Finding, passed, warned
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse.publishing import Level, options_of_copies


def check_copies(settings: Settings) -> Iterator[Finding]:
    """A finding for each copy that is not the whole warehouse."""
    for copy in options_of_copies(settings):
        level = copy if isinstance(copy, Level) else copy.level
        if level is Level.WHOLE:
            continue
        check = f"copies.{level.value}"
        if level is not copy:
            yield passed(check, "says how it was made")
            continue
        yield warned(
            check,
            f"{level.path(settings)} does not say how it was made: it has another key, or is of an earlier version, "
            "whose ids can be undone with the pipeline's key",
            f"`fullscript-pipeline publish --{level.value}` makes it again; have those that were handed out deleted.",
        )
