"""The labs that somebody must act on: results first, then what waits for the patient, the oldest first.

What does not belong here: a result; only that there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.clinic_pages.next_steps import LAB_STATES_TO_ACT_ON, lab_since, lab_step
from fullscript_pipeline.reports.clinic_pages.roster import RosterPatient
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import load_labs


@dataclass(frozen=True, slots=True, kw_only=True)
class LabToActOn:
    """A patient's lab order or recommended panel, what to do about it, and since when that is so."""

    patient: RosterPatient
    practitioner_id: str | None
    name: str
    step: str
    since: str


def load_lab_lines(
    con: duckdb.DuckDBPyConnection, roster: Sequence[RosterPatient], context: PageContext
) -> list[LabToActOn]:
    """The labs of the patients in the roster who are not archived."""
    patients = {patient.patient_id: patient for patient in roster if not patient.archived}
    language = context.language
    labs = load_labs(con, context.clinic.clinic_id, context.zone.key, states=LAB_STATES_TO_ACT_ON)
    labs = [lab for lab in labs if lab.patient_id in patients]
    labs.sort(key=lambda lab: (LAB_STATES_TO_ACT_ON.index(lab.state or ""), lab.since or date.max))
    return [
        LabToActOn(
            patient=patients[lab.patient_id],
            practitioner_id=lab.practitioner_id,
            name=formatting.shorten(lab.name or language.gettext("Unnamed lab order"), 60),
            step=lab_step(lab, language),
            since=lab_since(lab, language),
        )
        for lab in labs
    ]
