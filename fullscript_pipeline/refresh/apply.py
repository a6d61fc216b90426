"""Handles events: reads exactly the objects they are about, and tells whose adherence is touched.

What does not belong here: the marts and pages themselves (the caller rebuilds them for the touched patients).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction import events, plans, variants
from fullscript_pipeline.extraction.pull import Pull, Report, Target, read_by_id
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.clinical import PATIENTS
from fullscript_pipeline.warehouse.commerce import ORDERS
from fullscript_pipeline.warehouse.labs import LAB_ORDERS


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did, and the patients whose rows and pages are to be rebuilt."""

    reports: tuple[Report, ...]
    patients: tuple[str, ...]


def apply(target: Target, session: ClinicSession, event_ids: Sequence[str]) -> Refreshed:
    """Reads the events' details, then each touched object once, then variants met for the first time."""
    pull = Pull(target, "events_refresh")
    reports = [events.load_events(pull, session, event_ids, [])]
    seen = events.landed_details(pull)
    touched = {
        kind: events.touched(seen, prefix)
        for kind, prefix in (
            ("plans", "treatment_plan."),
            ("orders", "order."),
            ("patients", "patient."),
            ("labs", "lab_order."),
        )
    }
    if touched["plans"]:
        reports.append(plans.read_plans(target, session, [], touched["plans"]))
    reports += [
        read_by_id(target, session, endpoint, table, touched[kind])
        for kind, endpoint, table in (
            ("patients", "patient", PATIENTS),
            ("orders", "order", ORDERS),
            ("labs", "lab_order", LAB_ORDERS),
        )
        if touched[kind]
    ]
    if touched["plans"] or touched["orders"]:
        reports.append(variants.pull_unknown_variants(target, session))
    with target.warehouse.read() as con:
        patients = _patients_of(con, session.clinic.clinic_id, touched)
    return Refreshed(tuple(reports), tuple(patients))


def handled(store: StateStore, session: ClinicSession, event_ids: Sequence[str]) -> None:
    """After everything is committed."""
    store.mark_processed(session.clinic.server, session.clinic.clinic_id, event_ids)


def _patients_of(con: duckdb.DuckDBPyConnection, clinic_id: str, touched: dict[str, list[str]]) -> list[str]:
    rows = con.execute(
        """SELECT patient_id FROM core.treatment_plans WHERE clinic_id = $clinic AND treatment_plan_id IN $plans
        UNION SELECT patient_id FROM core.orders WHERE clinic_id = $clinic AND order_id IN $orders
        UNION SELECT patient_id FROM core.lab_orders WHERE clinic_id = $clinic AND lab_order_id IN $labs
        UNION SELECT patient_id FROM core.patients WHERE clinic_id = $clinic AND patient_id IN $patients
        ORDER BY 1""",
        {"clinic": clinic_id, **touched},
    ).fetchall()
    return [patient for (patient,) in rows if patient is not None]
