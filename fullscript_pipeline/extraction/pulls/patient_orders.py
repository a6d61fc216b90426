"""Fetches the stored orders of patients who were merged or removed again.

The first order is fetched by id: it names its present patient, whose list may hold the others. What does not belong
here: choosing the patients (`refresh.consequences`), the daily list (`orders`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain

import duckdb
import orjson

from fullscript_pipeline.api import ClinicSession, ScopeError
from fullscript_pipeline.event_types import Also, row_of
from fullscript_pipeline.extraction.engine import (
    Load,
    Pull,
    Report,
    Target,
    confirm_gone,
    fetch_listed_ids,
    in_parallel,
    record_detail_reads,
)
from fullscript_pipeline.extraction.event_proof import iter_values
from fullscript_pipeline.extraction.pulls.patient_lab_orders import patient_id_of
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.warehouse import Line

_LIST = "orders"
ORDERS_OF_DEPARTED_PATIENTS = "orders_of_who_left"
# Up to so many orders are fetched by id, without a list.
FEW = 2


def stored_orders_by_patient(
    con: duckdb.DuckDBPyConnection, clinic_id: str, patients: Sequence[str]
) -> dict[str, list[str]]:
    """Returns the stored orders of these patients, newest first."""
    rows = con.execute(
        "SELECT patient_id, list(order_id ORDER BY completed_at DESC, order_id) FROM core.orders "
        "WHERE clinic_id = ? AND patient_id IN ? AND removed_at IS NULL GROUP BY patient_id ORDER BY patient_id",
        [clinic_id, list(patients)],
    ).fetchall()
    return dict(rows)


def refetch_orders(pull: Pull, session: ClinicSession, held: Mapping[str, Sequence[str]]) -> list[str]:
    """Lands the orders `held` by each patient. Returns those that are gone by their id and their patient's list.

    Raises ScopeError when no order may be read.
    """
    denied = [
        order_id
        for patient, orders in held.items()
        for order_id in _land_orders_of_patient(pull, session, patient, orders)
    ]
    return confirm_gone(pull, session, ORDERS, denied)


def pull_orders_of_departed_patients(target: Target, session: ClinicSession) -> Report | None:
    """Pulls once the stored orders of patients who are gone; None when there are none.

    Patients whose removal is held (`warehouse.loading.mass_deletion_guard`) are not gone.
    """
    clinic_id = session.clinic.clinic_id
    with target.warehouse.read() as con:
        held = stored_orders_by_patient(con, clinic_id, _departed_patients(con, clinic_id))
    if not held:
        return None
    pull = Pull(target, ORDERS_OF_DEPARTED_PATIENTS)
    try:
        gone = refetch_orders(pull, session, held)
    except ScopeError as refusal:
        return pull.record_refusal(str(refusal))

    def after(con: duckdb.DuckDBPyConnection) -> None:
        record_detail_reads(
            con, pull, owner=clinic_id, resource=ORDERS_OF_DEPARTED_PATIENTS, reads=dict.fromkeys(held, (None, True))
        )

    return pull.commit(Load(table=ORDERS, lines=lambda: complete_order_lines(pull), gone=gone, listed=(), after=after))


def _departed_patients(con: duckdb.DuckDBPyConnection, clinic_id: str) -> list[str]:
    """Returns patients who were removed, or named by a merge, since their orders were last fetched here."""
    merged = _named_by_merges(con, clinic_id)
    rows = con.execute(
        """SELECT patient_id, greatest(p.removed_at, m.told_at) AS left_at FROM core.patients p
        LEFT JOIN (SELECT unnest($ids::VARCHAR[]) AS patient_id, unnest($times::TIMESTAMPTZ[]) AS told_at) m
            USING (patient_id)
        LEFT JOIN ops.detail_reads r
            ON r.clinic_id = p.clinic_id AND r.resource = $resource AND r.object_id = p.patient_id
        WHERE p.clinic_id = $clinic AND left_at IS NOT NULL AND coalesce(r.read_at < left_at, true) ORDER BY 1""",
        {
            "ids": list(merged),
            "times": list(merged.values()),
            "resource": ORDERS_OF_DEPARTED_PATIENTS,
            "clinic": clinic_id,
        },
    ).fetchall()
    return [patient for patient, _ in rows]


def _named_by_merges(con: duckdb.DuckDBPyConnection, clinic_id: str) -> dict[str, datetime]:
    """Returns the ids that events of merges name, patients among them, with the time of the last event."""
    rows = con.execute(
        "SELECT event_type, extra, resource_id, observed_at FROM core.events WHERE clinic_id = ? "
        "AND event_type ILIKE '%merg%' ORDER BY observed_at",
        [clinic_id],
    ).fetchall()
    return {
        object_id: observed_at
        for kind, extra, resource_id, observed_at in rows
        if Also.BELONGINGS in row_of(kind).also
        for object_id in (*iter_values(orjson.loads(extra or "{}").get("data")), *filter(None, [resource_id]))
    }


def complete_order_lines(pull: Pull) -> Iterator[Line]:
    """Yields the complete orders that were read."""
    listed = (line for line in pull.file.lines(_LIST) if _has_lines(line))
    return chain(listed, pull.file.lines("order"))


def _land_orders_of_patient(pull: Pull, session: ClinicSession, patient: str, orders: Sequence[str]) -> list[str]:
    """Lands these orders, with the list of the first one's present patient. Returns those that answered 404."""
    first, remaining = orders[0], list(orders[1:])
    denied = [] if pull.land_object(session, "order", first) else [first]
    listed: set[str] = set()
    if len(orders) > FEW or denied:
        owner = next((patient_id_of(line) for line in pull.file.lines("order") if line.id == first), "") or patient
        fetch_listed_ids(pull, session, ORDERS, owner)
        listed = {line.id for line in pull.file.lines(_LIST) if _has_lines(line)}
    remaining = [order for order in remaining if order not in listed]
    found = in_parallel(lambda order: pull.land_object(session, "order", order), remaining)
    return denied + [order for order, is_found in zip(remaining, found, strict=True) if not is_found]


def _has_lines(line: Line) -> bool:
    return b'"line_items"' in line.record and isinstance(orjson.loads(line.record).get("line_items"), list)
