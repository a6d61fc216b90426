"""The value objects of a load: who read the records and when (`View`, `Context`), and what the load did (`Counts`).

What does not belong here: SQL, and what a view may prove (`reader_views`).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class View:
    """Who reads a clinic's lists, and with which scopes. A user that the server does not name is None.

    Empty `scopes`: the server does not name them. `lacks`: the scopes that we read with and that are not granted.
    """

    clinic_id: str
    user_id: str | None
    scopes: frozenset[str] = frozenset()
    lacks: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def key(self) -> str:
        """The name of the view in tables."""
        text = "\n".join([self.clinic_id, self.user_id or "", *sorted(self.scopes)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def includes(self, view: "View") -> bool:
        """Whether this view sees all that `view` sees. Scopes that a server does not name may be all of them."""
        if (self.clinic_id, self.user_id) != (view.clinic_id, view.user_id):
            return False
        if self.scopes == view.scopes:
            return True
        if not view.scopes:
            return bool(self.scopes) and not self.lacks
        return self.scopes >= view.scopes


@dataclass(frozen=True, kw_only=True)
class Context:
    """Whose records these are and when they were observed. `clinic_id` or `region` is the scope of every row.

    `view`: who read them, and with which scopes (None: any reader sees all of them, so absence proves removal).
    """

    server: str
    region: str
    clinic_id: str | None
    clinic_key: str | None
    observed_at: datetime
    pull_id: str
    view: View | None = None


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a load did, in records of the table itself (not of its children).

    `unproven`: rows that a complete list lacked, and that stay because its view never saw them. `narrower`: 1 if
    another view of the table sees more than this one. `untyped`: values that could not be typed or were rounded,
    including those of children.
    """

    read: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    quarantined: int = 0
    held: int = 0
    unproven: int = 0
    narrower: int = 0
    untyped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})
