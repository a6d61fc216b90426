"""The scopes that the pipeline reads with, and which data stay empty without each of them.

Scopes are set in the vendor's dashboard, not in the authorize request, so a missing one can only be reported. What does
not belong here: which endpoint needs which (`endpoints`).
"""

from collections.abc import Iterable

from fullscript_pipeline.resources.types import READ_SCOPES


def missing_read_scopes(scopes: Iterable[str]) -> dict[str, str]:
    """The read scopes that are not among `scopes`, with what each costs.

    None if the server named no scope: then the scopes of the app apply (RFC 6749, 5.1), and a refusal is reported when
    it occurs.
    """
    granted = {scope.lower() for scope in scopes}
    return {scope: cost for scope, cost in READ_SCOPES.items() if granted and scope not in granted}


def _read_width(scopes: Iterable[str]) -> int:
    """The number of read scopes among `scopes`; other scopes do not make a grant better for us."""
    return len(READ_SCOPES) - len(missing_read_scopes(scopes))


def write_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """Scopes that allow changes. The pipeline never makes changes, so the app should not have them."""
    return tuple(sorted(scope for scope in scopes if not scope.endswith((":read", "_history"))))


def grant_preference(scopes: Iterable[str], patients_visible: int | None, user_id: str) -> tuple[int, int, str]:
    """The sort key of the grants of a clinic; the grant with the greatest is used."""
    return _read_width(scopes), patients_visible or 0, user_id
