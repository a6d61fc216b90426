"""Named switches: what the pipeline assumes of one server beyond the documentation, after a probe has seen it there.

Without a switch every plausible answer is accepted, at the price of some requests. What does not belong here: which
facts a switch needs (`probe`), what it saves (the rooms that read it).
"""

from collections.abc import Iterable
from typing import Protocol

# Date filters count days of UTC, and a range includes both its ends: lists need a day less of overlap.
WHOLE_UTC_DAYS = "whole_utc_days"
ASSUMPTIONS = (WHOLE_UTC_DAYS,)


class ServerFacts(Protocol):
    """Named facts of a data directory; `state.StateStore.facts` implements it."""

    def get(self, name: str, /) -> str | None: ...
    def set(self, name: str, value: str, /) -> None: ...


def stored_assumptions(facts: ServerFacts, server: str) -> frozenset[str]:
    """The switches that are on for a server."""
    return frozenset((facts.get(_fact(server)) or "").split())


def store_assumptions(facts: ServerFacts, server: str, names: Iterable[str]) -> None:
    """Turns these switches on and all others off."""
    facts.set(_fact(server), " ".join(sorted(names)))


def _fact(server: str) -> str:
    return f"assumptions.{server}"
