"""The list of the sealed columns of the state store, and of what each value is bound to.

`Keyring` seals only for a place of this list, and `key_rotation` iterates over it, so no sealed column can be
forgotten: a new one is a line here. A value can be opened only in its own column, next to its own key columns. What
does not belong here: encrypting (`secret_cipher`).
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Row, Table

from fullscript_pipeline.state.schema import audit_chains, facts, grants, snoozes, webhook_inbox


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a sealed value: the column, and the values of the key columns that it is bound to."""

    column: "SealedColumn"
    bound_to: tuple[str, ...]

    def __str__(self) -> str:
        return json.dumps([*self.column.name.split("."), *self.bound_to])


@dataclass(frozen=True, kw_only=True)
class SealedColumn:
    """A column of sealed values, text or bytes; `key`: the columns of its row that a value is bound to.

    Not every value is sealed (a fact may be plain).
    """

    table: Table
    of: str
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.of}"

    @property
    def column(self) -> Column[Any]:
        return self.table.c[self.of]

    def at(self, *bound_to: str) -> Place:
        """The place with these values of the key columns."""
        if len(bound_to) != len(self.key):
            raise ValueError(f"{self.name} is bound to {', '.join(self.key)}")
        return Place(column=self, bound_to=bound_to)

    def of_row(self, row: Row[Any]) -> Place:
        """The place in a row, which must hold the key columns."""
        return self.at(*(str(getattr(row, name)) for name in self.key))


_USER = ("server", "clinic_id", "user_id")
ACCESS_TOKEN = SealedColumn(table=grants, of="access_token", key=_USER)
REFRESH_TOKEN = SealedColumn(table=grants, of="refresh_token", key=_USER)
PREVIOUS_REFRESH_TOKEN = SealedColumn(table=grants, of="previous_refresh_token", key=_USER)
WEBHOOK_BODY = SealedColumn(table=webhook_inbox, of="body", key=("server", "event_id", "integration_id"))
AUDIT_KEY = SealedColumn(table=audit_chains, of="sealed_key", key=("chain",))
AUDIT_HEAD = SealedColumn(table=audit_chains, of="sealed_head", key=("chain",))
SECRET_FACT = SealedColumn(table=facts, of="value", key=("name",))
SNOOZE_NOTE = SealedColumn(table=snoozes, of="note", key=("server", "clinic_id", "patient_id"))

SEALED_COLUMNS = (
    ACCESS_TOKEN, REFRESH_TOKEN, PREVIOUS_REFRESH_TOKEN, WEBHOOK_BODY, AUDIT_KEY, AUDIT_HEAD, SECRET_FACT,
    SNOOZE_NOTE,
)  # fmt: skip
