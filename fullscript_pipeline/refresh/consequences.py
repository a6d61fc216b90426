"""Fetches what depends on the objects of a refresh, in the same commit (`event_types` says what for which event).

Lab orders after an order or a plan that may hold a lab, the tie to a guardian after an emancipation, everything that
is stored under patients that were merged or are gone. What does not belong here: the objects themselves
(`event_handling`).
"""

from collections.abc import Iterator, Sequence

import orjson

from fullscript_pipeline.api import ScopeError
from fullscript_pipeline.event_types import EVENT_FAMILIES, Also, row_of
from fullscript_pipeline.extraction.engine import Load
from fullscript_pipeline.extraction.event_proof import iter_values
from fullscript_pipeline.extraction.pulls import (
    complete_order_lines,
    find_former_dependents,
    has_tests_and_results,
    iter_listed_lab_orders,
    land_lab_orders,
    order_may_hold_labs,
    patient_id_of,
    plan_may_hold_labs,
    refetch_orders,
    stored_orders_by_patient,
)
from fullscript_pipeline.refresh.cost_plan import family_of
from fullscript_pipeline.refresh.inbox_ingest import unwrap_event
from fullscript_pipeline.refresh.object_fetch import ObjectFetcher
from fullscript_pipeline.regions import REGIONS_WITH_LABS
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.state import LedgerEvent
from fullscript_pipeline.warehouse.loading import mass_deletion_guard


def fetch_consequences(fetcher: ObjectFetcher, events: Sequence[LedgerEvent]) -> None:
    """Fetches what depends on these events. Call it when their own objects are fetched, before `commit`."""
    clinic = fetcher.session.clinic
    learned = {event.event_id: event for event in fetcher.store.events.pending(clinic.server, clinic.clinic_id)}
    current = [learned.get(event.event_id, event) for event in events]
    by_consequence = {also: [event for event in current if also in _also(event)] for also in Also}
    patients = _merged(fetcher, by_consequence[Also.BELONGINGS]) | set(fetcher.not_found["patients"])
    _read_belongings(fetcher, sorted(patients))
    if by_consequence[Also.LAB_ORDERS]:
        patients |= set(_patients_with_labs(fetcher))
    _read_labs(fetcher, sorted(patients))
    fetcher.fetch_missing_patients()
    # Last, because its lists of dependents are no lists of patients to be stored.
    if by_consequence[Also.TIE]:
        _untie(fetcher, by_consequence[Also.TIE])


def _also(event: LedgerEvent) -> tuple[Also, ...]:
    """By the event's type; where only its feed is known, as for any event of that kind."""
    if event.event_type:
        return row_of(event.event_type).also
    prefixes = {family.name: f"{family.prefix}." for family in EVENT_FAMILIES}
    return row_of(prefixes.get(family_of(event))).also


def _untie(fetcher: ObjectFetcher, events: Sequence[LedgerEvent]) -> None:
    """Dependents whose records do not say so, and whom no list shows as dependents any more, are none."""
    with fetcher.target.warehouse.read() as con:
        rows = con.execute(
            "SELECT patient_id, guardian_patient_id, is_dependent FROM core.patients WHERE clinic_id = ? "
            "AND removed_at IS NULL",
            [fetcher.session.clinic.clinic_id],
        ).fetchall()
    silent = {
        line.id for line in fetcher.patient_lines() if orjson.loads(line.record).get("is_dependent") in (None, "")
    }
    tied = {patient: guardian for patient, guardian, dependent in rows if dependent and patient in silent}
    named = {event.resource_id for event in events}
    suspects = {patient: guardian for patient, guardian in tied.items() if patient in named} or tied
    if suspects:
        fetcher.mark_independent(find_former_dependents(fetcher.pull, fetcher.session, suspects, len(rows)))


def _merged(fetcher: ObjectFetcher, events: Sequence[LedgerEvent]) -> set[str]:
    """The stored patients that these events name, under whatever key; of events that do not name two, those whom the
    complete list lacks."""
    if not events:
        return set()
    mentioned = {
        object_id for event in events for object_id in (event.resource_id, *_mentioned_ids(fetcher, event)) if object_id
    }
    present = _present_patients(fetcher)
    named = mentioned & present
    fetcher.fetch_objects("patients", sorted(named))
    if len(named) < 2 * len(events):
        named |= _vanished(fetcher, present)
    return named


def _mentioned_ids(fetcher: ObjectFetcher, event: LedgerEvent) -> Iterator[str]:
    """Every value of an event's data, from its detail or the webhook."""
    server, clinic_id = event.server, event.clinic_id
    with fetcher.target.warehouse.read() as con:
        rows = con.execute(
            "SELECT extra->'$.data' FROM core.events WHERE clinic_id = ? AND event_id = ?", [clinic_id, event.event_id]
        ).fetchall()
    yield from iter_values([orjson.loads(data) for (data,) in rows if data])
    for delivery in fetcher.store.inbox.deliveries(["received"]):
        if (delivery.server, delivery.event_id) == (server, event.event_id):
            yield from iter_values((unwrap_event(delivery.body) or {}).get("data"))


def _vanished(fetcher: ObjectFetcher, present: set[str]) -> set[str]:
    """Who is stored and missing from the complete list of patients; nobody when that is too many to believe."""
    if fetcher.fetch_patients([], list_all=True) == "not listed":
        return set()
    listing = fetcher.pull.walk(fetcher.session, "patients", params={"patient_type": "all"})
    lacking = present - set(listing.ids)
    believable = len(lacking) <= max(mass_deletion_guard.ROWS, mass_deletion_guard.SHARE * len(present))
    return lacking if listing.complete and believable else set()


def _present_patients(fetcher: ObjectFetcher) -> set[str]:
    with fetcher.target.warehouse.read() as con:
        rows = con.execute(
            "SELECT patient_id FROM core.patients WHERE clinic_id = ? AND removed_at IS NULL",
            [fetcher.session.clinic.clinic_id],
        ).fetchall()
    return {patient for (patient,) in rows}


def _read_belongings(fetcher: ObjectFetcher, patients: Sequence[str]) -> None:
    """The orders and plans that are stored under these patients."""
    if not patients:
        return
    clinic_id = fetcher.session.clinic.clinic_id
    with fetcher.target.warehouse.read() as con:
        held = stored_orders_by_patient(con, clinic_id, patients)
        plans: dict[str, str] = dict(
            con.execute(
                "SELECT treatment_plan_id, patient_id FROM core.treatment_plans WHERE clinic_id = ? "
                "AND patient_id IN ? AND removed_at IS NULL",
                [clinic_id, list(patients)],
            ).fetchall()
        )
    fetcher.queue_page_rebuilds(patients)
    fetcher.fetch_plans(list(plans), plans)
    try:
        gone = refetch_orders(fetcher.pull, fetcher.session, held)
    except ScopeError as refusal:
        fetcher.refused.append(str(refusal))
        return
    orders = [order for patient_orders in held.values() for order in patient_orders]
    fetcher.add_load(
        "orders", orders, Load(table=ORDERS, lines=lambda: complete_order_lines(fetcher.pull), gone=gone, listed=())
    )


def _patients_with_labs(fetcher: ObjectFetcher) -> Iterator[str]:
    """Whose order or plan was read in this round and may hold a lab."""
    holds = {
        "orders": (("order", "orders"), order_may_hold_labs),
        "plans": (("treatment_plan", "patient_treatment_plans"), plan_may_hold_labs),
    }
    for family, (endpoints, may_hold) in holds.items():
        touched = fetcher.fetched_ids(family)
        for endpoint in endpoints:
            for line in fetcher.pull.file.lines(endpoint):
                if line.id in touched and may_hold(orjson.loads(line.record)) and (patient := patient_id_of(line)):
                    yield patient


def _read_labs(fetcher: ObjectFetcher, patients: Sequence[str]) -> None:
    """Lists these patients' lab orders; by id those that come without tests, unless a pull has completed the same row,
    and the stored ones that no list shows."""
    if not patients or fetcher.target.region not in REGIONS_WITH_LABS:
        return
    clinic_id = fetcher.session.clinic.clinic_id
    with fetcher.target.warehouse.read() as con:
        rows = con.execute(
            "SELECT lab_order_id, patient_id FROM core.lab_orders WHERE clinic_id = ? AND removed_at IS NULL",
            [clinic_id],
        ).fetchall()
        completed: dict[str, str] = dict(
            con.execute(
                "SELECT object_id, list_hash FROM ops.detail_reads WHERE clinic_id = ? AND resource = ?",
                [clinic_id, LAB_ORDERS.name],
            ).fetchall()
        )
    stored = {lab for lab, patient in rows if patient in set(patients)}
    if refusal := land_lab_orders(fetcher.pull, fetcher.session, patients, len(rows)):
        fetcher.refused.append(refusal)
    theirs = {"", *patients}
    listed = {
        line.id: line
        for line in iter_listed_lab_orders(fetcher.pull)
        if line.id in stored or patient_id_of(line) in theirs
    }
    complete = [line for line in listed.values() if has_tests_and_results(line)]
    fetcher.add_load(
        "labs", [line.id for line in complete], Load(table=LAB_ORDERS, lines=lambda: iter(complete), listed=())
    )
    known = {line.id for line in listed.values() if line.id in stored and completed.get(line.id) == line.hash}
    fetcher.fetch_objects("labs", sorted((listed.keys() | stored) - known - {line.id for line in complete}))
