"""Erases a clinic or a person from the state store, or lists what it knows about a person.

What does not belong here: revoking a grant at the server (`api.authorization_flow.disconnect`).
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, select, true

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.state.database import Database
from fullscript_pipeline.state.schema import (
    clinics,
    events,
    facts,
    grants,
    metadata,
    owed_patients,
    snoozes,
    watched_labs,
    webhook_inbox,
)
from fullscript_pipeline.state.sealed_columns import SEALED_COLUMNS, WEBHOOK_BODY
from fullscript_pipeline.state.secret_cipher import Keyring
from fullscript_pipeline.state.token_store import of_clinic


def purge_clinic(db: Database, keyring: Keyring, clinic: ClinicRef) -> int:
    """Deletes every row of the clinic, its key and tokens included, and rows that mention it; returns their number.

    A grant that is still to be revoked at the server stays, and so does the clinic's row.
    """
    removed = 0
    with db.write() as connection:
        to_be_revoked = of_clinic(grants, clinic) & (grants.c.status == "to_be_revoked")
        has_grant_to_revoke = connection.execute(select(grants.c.user_id).where(to_be_revoked)).first() is not None
        for table in metadata.sorted_tables:
            if {"server", "clinic_id"} <= set(table.c.keys()) and not (has_grant_to_revoke and table is clinics):
                own = of_clinic(table, clinic) & (grants.c.status != "to_be_revoked" if table is grants else true())
                removed += connection.execute(delete(table).where(own)).rowcount
        named = facts.c.name.endswith(f":{clinic.server}:{clinic.clinic_id}", autoescape=True)
        removed += connection.execute(delete(facts).where(named)).rowcount
        removed += _drop_deliveries(connection, keyring, clinic, [clinic.clinic_id])
    db.erase_deleted()
    return removed


def purge_patient(db: Database, keyring: Keyring, clinic: ClinicRef, ids: Collection[str]) -> int:
    """Deletes events about these objects, queued rebuilds, snoozes, and webhooks that mention them; returns the number
    of rows."""
    with db.write() as connection:
        removed = sum(
            connection.execute(delete(table).where(condition)).rowcount for table, condition in _rows_of(clinic, ids)
        )
        removed += _drop_deliveries(connection, keyring, clinic, ids)
    db.erase_deleted()
    return removed


def rows_of_patient(
    db: Database, keyring: Keyring, clinic: ClinicRef, ids: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """The rows that `purge_patient` would delete, by table, with their sealed values decrypted."""
    with db.read() as connection:
        rows = {
            table.name: [_opened(row, table, keyring) for row in connection.execute(select(table).where(condition))]
            for table, condition in _rows_of(clinic, ids)
        }
        deliveries = _naming_deliveries(connection, keyring, clinic, ids)
    bodies = [keyring.open_bytes(row.body, WEBHOOK_BODY.of_row(row)).decode(errors="replace") for row in deliveries]
    opened = [dict(row._mapping) | {"body": body} for row, body in zip(deliveries, bodies, strict=True)]
    return rows | {webhook_inbox.name: opened}


def _rows_of(clinic: ClinicRef, ids: Collection[str]) -> list[tuple[Table, ColumnElement[bool]]]:
    """Every table except the inbox that may mention an object of a person, with the condition of these rows."""
    named = {events: events.c.resource_id, owed_patients: owed_patients.c.patient_id}
    named |= {watched_labs: watched_labs.c.lab_order_id, snoozes: snoozes.c.patient_id}
    return [(table, of_clinic(table, clinic) & column.in_(ids)) for table, column in named.items()]


def _opened(row: Row[Any], table: Table, keyring: Keyring) -> dict[str, Any]:
    sealed = [column for column in SEALED_COLUMNS if column.table is table and getattr(row, column.of) is not None]
    return dict(row._mapping) | {
        column.of: keyring.open(getattr(row, column.of), column.of_row(row)) for column in sealed
    }


def _drop_deliveries(connection: Connection, keyring: Keyring, clinic: ClinicRef, ids: Collection[str]) -> int:
    """Deletes webhooks that contain one of the ids: those of the clinic and those without a clinic."""
    named = _naming_deliveries(connection, keyring, clinic, ids)
    for row in named:
        connection.execute(delete(webhook_inbox).where(webhook_inbox.c.number == row.number))
    return len(named)


def _naming_deliveries(
    connection: Connection, keyring: Keyring, clinic: ClinicRef, ids: Collection[str]
) -> list[Row[Any]]:
    query = select(webhook_inbox).where(_of_clinic_or_nobody(clinic)).order_by(webhook_inbox.c.number)
    needles = [object_id.encode() for object_id in ids]
    return [
        row
        for row in connection.execute(query)
        if any(object_id in keyring.open_bytes(row.body, WEBHOOK_BODY.of_row(row)) for object_id in needles)
    ]


def _of_clinic_or_nobody(clinic: ClinicRef) -> ColumnElement[bool]:
    return (webhook_inbox.c.server == clinic.server) & webhook_inbox.c.clinic_id.in_([clinic.clinic_id, ""])
