"""Which scopes we read with, and in plain words what stays empty without each.

Scopes are set in the vendor's dashboard, not in the authorize request, so all we can do is say it. What does not
belong here: which endpoint needs which (`endpoints`).
"""

from collections.abc import Iterable

from fullscript_pipeline.resources.types import READ_SCOPES


def missing_read_scopes(scopes: Iterable[str]) -> dict[str, str]:
    """Read scopes that are not among `scopes`, with what each costs; none when the server named no scope at all: then
    the app's hold (RFC 6749, 5.1), and what is refused is told when it is asked for."""
    granted = {scope.lower() for scope in scopes}
    return {scope: cost for scope, cost in READ_SCOPES.items() if granted and scope not in granted}


def read_width(scopes: Iterable[str]) -> int:
    """How many of the scopes we read with are among `scopes`; others do not make a grant any better for us."""
    return len(READ_SCOPES) - len(missing_read_scopes(scopes))


def write_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes that allow changes, which we never make: better taken off the app."""
    return tuple(sorted(scope for scope in scopes if not scope.endswith((":read", "_history"))))
