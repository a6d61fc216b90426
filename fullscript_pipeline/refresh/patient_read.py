"""Reads one patient again: the record, plans, orders and lab orders, as somebody asks in the portal.

What does not belong here: how each kind is fetched (`object_fetch`), rows and pages (the caller rebuilds them).
"""

from collections.abc import Sequence

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction.engine import Target, fetch_listed_ids
from fullscript_pipeline.extraction.pulls import missing_variants
from fullscript_pipeline.refresh.event_handling import RefreshResult
from fullscript_pipeline.refresh.object_fetch import ObjectFetcher
from fullscript_pipeline.regions import REGIONS_WITH_LABS
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.state import StateStore


def read_patient(target: Target, session: ClinicSession, store: StateStore, patient_id: str) -> RefreshResult:
    """Stores what Fullscript has of the patient. Afterwards the caller rebuilds the pages, then calls
    `mark_refresh_done`."""
    fetcher = ObjectFetcher(target, session, store)
    fetcher.queue_page_rebuilds([patient_id])
    fetcher.fetch_objects("patients", [patient_id])
    plans = _objects_of(fetcher, TREATMENT_PLANS, patient_id)
    fetcher.fetch_plans(plans, dict.fromkeys(plans, patient_id))
    fetcher.fetch_objects("orders", _objects_of(fetcher, ORDERS, patient_id))
    if target.region in REGIONS_WITH_LABS:
        fetcher.fetch_objects("labs", _objects_of(fetcher, LAB_ORDERS, patient_id))
    reports = [fetcher.commit(), missing_variants.pull_unknown_variants(target, session)]
    pending = store.page_rebuilds.pending(session.clinic)
    return RefreshResult(
        reports=tuple(reports),
        patients=tuple(dict.fromkeys([patient_id, *fetcher.affected_patient_ids(), *pending])),
        counts={"patient": 1},
    )


def _objects_of(fetcher: ObjectFetcher, table: Table, patient_id: str) -> Sequence[str]:
    """The patient's objects that Fullscript lists, and those that are stored."""
    clinic_id, key = fetcher.session.clinic.clinic_id, table.key[0]
    with fetcher.target.warehouse.read() as con:
        rows = con.execute(
            f"SELECT {key} FROM core.{table.name} WHERE clinic_id = ? AND patient_id = ? AND removed_at IS NULL",  # noqa: S608 -- a table of ours
            [clinic_id, patient_id],
        ).fetchall()
    listed = fetch_listed_ids(fetcher.pull, fetcher.session, table, patient_id) or frozenset()
    return sorted({object_id for (object_id,) in rows} | listed)
