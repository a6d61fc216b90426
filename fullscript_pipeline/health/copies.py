"""Checks whether ids in the copies for analysts could be reversed.

What does not belong here: making the copies (`warehouse.publishing`).
"""

from collections.abc import Iterator

from fullscript_pipeline.files import open_files
from fullscript_pipeline.health.finding import Finding, passed, warned
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse.publishing import PUBLISHED, Level, options_of_copies


def check_copies(settings: Settings) -> Iterator[Finding]:
    """A finding for each copy that is not the whole warehouse."""
    files = open_files(settings, PUBLISHED)
    for copy in options_of_copies(settings):
        level = copy if isinstance(copy, Level) else copy.level
        if level is Level.WHOLE:
            continue
        check = f"copies.{level.value}"
        if level is not copy:
            yield passed(check, "records how it was made")
            continue
        yield warned(
            check,
            f"{files.address(level.file)} does not record how it was made: it has another key, or an earlier version "
            "made it, whose ids can be reversed with the pipeline's key",
            f"Run `fullscript-pipeline publish --{level.value}` to make it again, and have the copies that you gave "
            "out deleted.",
        )
