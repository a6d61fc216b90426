"""Parses the records of a pull's landed lines, and replaces the record of a line.

What does not belong here: what a record means (the pull of its resource).
"""

from collections.abc import Iterator
from typing import Any

import orjson

from fullscript_pipeline.api import NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine import Pull
from fullscript_pipeline.warehouse import Line, canonical, content_hash

# Answers of a server that does not let this app read a list, or does not have it.
REFUSALS = (ScopeError, NotFound, RequestRefused)


def iter_parsed(pull: Pull, endpoint: str) -> Iterator[tuple[Line, dict[str, Any]]]:
    """Yields the landed lines of an endpoint, each with its parsed record."""
    return ((line, orjson.loads(line.record)) for line in pull.file.lines(endpoint))


def replace_record(line: Line, record: dict[str, Any]) -> Line:
    """Returns the line with another record and the same id."""
    text = canonical({"id": line.id, **record})
    return line._replace(record=text, hash=content_hash(text))
