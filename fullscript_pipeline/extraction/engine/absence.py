"""Confirms that an object is gone: its id answers 404, and a fresh list that should hold it lacks it too.

The list is the patient's plans for a plan, the list filtered by the patient for an order or a lab order, and all
patients for a patient. Otherwise the object stays as stored, and the report says so. What does not belong here: marking
rows as removed (`warehouse.loading`), which reader view proves absence (`warehouse`), products (`catalog`).
"""

from collections.abc import Collection, Sequence

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine.detail_fetch import fetch_each
from fullscript_pipeline.extraction.engine.list_progress import FetchedList
from fullscript_pipeline.extraction.engine.pull import Pull
from fullscript_pipeline.extraction.engine.pull_types import in_parallel
from fullscript_pipeline.plural import counted
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse import patients_of, stored_hashes
from fullscript_pipeline.warehouse.event_log import answered_by_count, awaited_objects

# By table: the endpoint of one object, and the list of a patient's objects.
DETAIL_ENDPOINTS = {
    PATIENTS.name: "patient",
    TREATMENT_PLANS.name: "treatment_plan",
    ORDERS.name: "order",
    LAB_ORDERS.name: "lab_order",
}
_LIST_ENDPOINTS = {ORDERS.name: "orders", LAB_ORDERS.name: "lab_orders"}


def confirm_gone(pull: Pull, session: ClinicSession, table: Table, denied: Sequence[str]) -> list[str]:
    """Returns those of the objects with a 404 that the list that should hold them lacks too.

    The report counts the others, as far as they are stored. The rows of the lists are landed.
    """
    if not denied:
        return []
    owners = _list_owners(pull, session, table, denied)
    lists = list(dict.fromkeys(owners.values()))
    ids = dict(zip(lists, in_parallel(lambda owner: fetch_listed_ids(pull, session, table, owner), lists), strict=True))
    gone = [
        object_id
        for object_id, owner in owners.items()
        if (listed := ids[owner]) is not None and object_id not in listed
    ]
    if left := len(owners) - len(gone):
        pull.summary.add_caution(
            f"{counted(left, 'object')} answered 404 without a list that lacks it: left as stored "
            f"({DETAIL_ENDPOINTS[table.name]})"
        )
    return gone


def fetch_awaited(
    pull: Pull, session: ClinicSession, table: Table, listed: Collection[str], *, is_complete: bool
) -> list[str]:
    """Fetches by id the objects that events wait for and that a list just read lacks. Returns those that are gone.

    `is_complete`: the list would hold every new object, so one that was never stored and answers 404 is gone too.
    """
    with pull.target.warehouse.read() as con:
        waiting = awaited_objects(con, session.clinic.clinic_id, table)
    unlisted = [object_id for object_id in waiting if object_id not in listed]
    if not unlisted:
        return []
    denied = fetch_by_id(pull, session, table, unlisted)
    gone = confirm_gone(pull, session, table, denied)
    unknown = denied if is_complete else []
    return [
        *gone,
        *(object_id for object_id in unknown if object_id not in _list_owners(pull, session, table, unknown)),
    ]


def events_answered_by_list(pull: Pull, session: ClinicSession, table: Table, listing: FetchedList) -> list[str]:
    """Returns the many events without an object that this complete list answers: it brings as many new objects."""
    if not listing.complete:
        return []
    clinic_id = session.clinic.clinic_id
    with pull.target.warehouse.read() as con:
        new = len(set(listing.ids) - stored_hashes(con, table, clinic_id).keys())
        return answered_by_count(con, clinic_id, table, new)


def fetch_by_id(pull: Pull, session: ClinicSession, table: Table, ids: Sequence[str]) -> list[str]:
    """Lands these objects. Returns those that answered 404.

    Refusals (403) are reported and raise nothing. Objects of purged people count as found."""
    endpoint = DETAIL_ENDPOINTS[table.name]
    try:
        fetch_each(pull, session, endpoint, ids, any_stored=True)
    except ScopeError:
        pull.summary.record_refused_objects(endpoint, ids)
    return [object_id for object_id in ids if pull.is_denied(session, endpoint, object_id)]


def _list_owners(pull: Pull, session: ClinicSession, table: Table, ids: Sequence[str]) -> dict[str, str]:
    """Returns the patient whose list should hold each stored object; '' for patients, whose list is that of all."""
    with pull.target.warehouse.read() as con:
        if table.name == PATIENTS.name:
            return dict.fromkeys(stored_hashes(con, table, session.clinic.clinic_id, ids), "")
        return patients_of(con, table, session.clinic.clinic_id, ids)


def fetch_listed_ids(pull: Pull, session: ClinicSession, table: Table, patient: str) -> frozenset[str] | None:
    """Lands the list of this patient's objects (or of all patients). Returns the ids in it.

    None when the list proves nothing: it cannot be read, is not complete, or is not this patient's.
    """
    try:
        if table.name == PATIENTS.name:
            listing = pull.walk(session, "patients", params={"patient_type": "all"})
        elif table.name == TREATMENT_PLANS.name:
            listing = pull.walk(session, "patient_treatment_plans", path={"patient_id": patient})
        else:
            listing = pull.walk(session, _LIST_ENDPOINTS[table.name], params={"patient_id": patient})
    except NotFound:
        # A patient's own list is gone with the patient; a 404 of everybody's list is a refusal.
        is_their_own = table.name == TREATMENT_PLANS.name
        return frozenset() if is_their_own and _is_removed_patient(pull, session, patient) else None
    except (ScopeError, RequestRefused):
        return None
    return frozenset(listing.ids) if listing.complete else None


def _is_removed_patient(pull: Pull, session: ClinicSession, patient: str) -> bool:
    """Whether the patient is stored as removed: then their own lists are gone too."""
    with pull.target.warehouse.read() as con:
        row = con.execute(
            "SELECT removed_at IS NOT NULL FROM core.patients WHERE clinic_id = ? AND patient_id = ?",
            [session.clinic.clinic_id, patient],
        ).fetchone()
    return bool(row and row[0])
