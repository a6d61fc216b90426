"""The stored orders of patients who were merged or have left the list, read again at once.

The first is asked for by id: it tells who has it now, and that patient's list may hold the others. What does not belong
here: who is to be read (`refresh.consequences`, the daily pull of `orders`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import duckdb
import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.listing import Listing
from fullscript_pipeline.extraction.patient_labs import patient_in, patient_of
from fullscript_pipeline.extraction.pull import Pull, in_parallel
from fullscript_pipeline.warehouse.landing import Line

_LIST = "orders"
# So many orders are read by id without looking for a list.
FEW = 2


@dataclass(frozen=True)
class OrdersRead:
    """What became of the orders: `gone` are neither readable by id nor in the whole list of their patient."""

    gone: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __add__(self, other: "OrdersRead") -> "OrdersRead":
        return OrdersRead(self.gone + other.gone, self.unknown + other.unknown)


def stored_orders(con: duckdb.DuckDBPyConnection, clinic_id: str, patients: Sequence[str]) -> dict[str, list[str]]:
    """The orders that are stored under these patients, the newest first."""
    rows = con.execute(
        "SELECT patient_id, list(order_id ORDER BY completed_at DESC, order_id) FROM core.orders "
        "WHERE clinic_id = ? AND patient_id IN ? AND removed_at IS NULL GROUP BY patient_id ORDER BY patient_id",
        [clinic_id, list(patients)],
    ).fetchall()
    return dict(rows)


def read_orders_of(pull: Pull, session: ClinicSession, held: Mapping[str, Sequence[str]]) -> OrdersRead:
    """Lands the orders `held` by each patient. Raises ScopeError when orders may not be read at all."""
    outcome = OrdersRead()
    for patient, orders in held.items():
        outcome += _read_one_patient(pull, session, patient, orders)
    return outcome


def order_lines(pull: Pull) -> Iterator[Line]:
    """What was read of orders that came whole."""
    listed = (line for line in pull.file.lines(_LIST) if _has_lines(line))
    return chain(listed, pull.file.lines("order"))


def _read_one_patient(pull: Pull, session: ClinicSession, patient: str, orders: Sequence[str]) -> OrdersRead:
    first, rest = orders[0], list(orders[1:])
    missing = [] if pull.one(session, "order", first) else [first]
    listed: set[str] = set()
    listing, owner = None, patient
    if len(orders) > FEW or missing:
        owner = next((patient_of(line) for line in pull.file.lines("order") if line.id == first), "") or owner
        listing = _walk_owner(pull, session, owner)
        listed = {line.id for line in pull.file.lines(_LIST) if _has_lines(line)}
    rest = [one for one in rest if one not in listed]
    there = in_parallel(lambda one: pull.one(session, "order", one), rest)
    missing += [one for one, found in zip(rest, there, strict=True) if not found]
    # What the list of another patient lacks may be in a list that nobody could read.
    proven = listing is not None and listing.complete and owner == patient
    lacking = tuple(one for one in missing if proven and listing and one not in listing.ids)
    return OrdersRead(lacking, tuple(one for one in missing if one not in lacking))


def _walk_owner(pull: Pull, session: ClinicSession, owner: str) -> Listing | None:
    """The orders of the patient who has them now; None when that list cannot be read, or is not that patient's."""
    params = {"patient_id": owner}
    try:
        page = next(session.pages(_LIST, {}, params))
        if any(patient_in(row) not in {"", owner} for row in page.records):
            return None  # the filter is ignored: the whole history would come
        return pull.walk(session, _LIST, params=params)
    except (ScopeError, NotFound, RequestRefused):
        return None


def _has_lines(line: Line) -> bool:
    return b'"line_items"' in line.record and isinstance(orjson.loads(line.record).get("line_items"), list)
