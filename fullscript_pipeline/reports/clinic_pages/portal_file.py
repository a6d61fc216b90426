"""Writes what the portal lists of a clinic: everybody, how to find them, who is on the call list, plans to open.

The portal never opens the warehouse: this file beside the pages is all that it reads of them (`web.clinic_files`). It
holds health data, like the pages. What does not belong here: who is on the call list (`call_list`), HTML.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb
import orjson

from fullscript_pipeline.reports.clinic_pages.call_list import CallListEntry
from fullscript_pipeline.reports.clinic_pages.list_pages import PatientSelection
from fullscript_pipeline.reports.clinic_pages.roster import RosterPatient
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.row_reading import read_rows

# A portal refuses a file of another version.
VERSION = 1


class PatientPlans(NamedTuple):
    """The id that the clinic's own system has for a patient, and the plans that can be opened, the newest first."""

    patient_id: str
    external_id: str | None
    treatment_plan_ids: list[str]


def portal_file(con: duckdb.DuckDBPyConnection, everybody: PatientSelection, context: PageContext) -> bytes:
    """The file's JSON."""
    rows = read_rows(con, "clinic_plans.sql", PatientPlans, {"clinic": context.clinic.clinic_id})
    plans = {row.patient_id: row for row in rows}
    calls = everybody.call_list
    listed = {entry.patient.patient_id: entry for entry in (*calls.entries, *calls.snoozed)}
    clinic = context.clinic
    content = {
        "version": VERSION,
        "clinic_id": clinic.clinic_id,
        "clinic_key": clinic.clinic_key,
        "region": clinic.region,
        "name": clinic.name,
        "language": context.language.tag,
        "data_as_of": context.data_as_of,
        "stale": context.stale_sentence,
        "practitioners": _practitioners(everybody, context),
        "patients": list(_patients(everybody, plans, listed, context)),
    }
    return orjson.dumps(content)


def _practitioners(everybody: PatientSelection, context: PageContext) -> dict[str, str]:
    shown = {ident for patient in everybody.patients for ident in patient.practitioner_ids}
    unnamed = context.language.gettext("Unnamed practitioner")
    names = {ident: context.practitioners.get(ident, unnamed) for ident in shown}
    return dict(sorted(names.items(), key=lambda pair: (pair[1], pair[0])))


def _patients(
    everybody: PatientSelection,
    plans: dict[str, PatientPlans],
    listed: dict[str, CallListEntry],
    context: PageContext,
) -> Iterator[dict[str, Any]]:
    for patient in everybody.patients:
        own = plans.get(patient.patient_id)
        entry = listed.get(patient.patient_id)
        yield _identity(patient, context) | {
            "external_id": own.external_id if own else None,
            "plans": own.treatment_plan_ids if own else [],
            "call": _call(entry, context) if entry else None,
        }


def _identity(patient: RosterPatient, context: PageContext) -> dict[str, Any]:
    born = patient.date_of_birth
    return {
        "id": patient.patient_id,
        "file": patient.file,
        "has_page": patient.page is not None,
        "name": patient.name,
        "sort_name": patient.sort_name,
        "born_on": born.isoformat() if born else None,
        "born": context.language.day(born) if born else None,
        "archived": patient.archived,
        "practitioner_ids": sorted(patient.practitioner_ids),
        "practitioner": patient.practitioner,
        "contact": patient.contact,
        "guardian": patient.guardian,
    }


def _call(entry: CallListEntry, context: PageContext) -> dict[str, Any]:
    return {
        "days": entry.days,
        "waits": entry.days_text,
        "verdict": context.language.gettext(entry.verdict.words),
        "product": entry.product,
        "others": entry.others,
        "step": entry.step,
        "set_aside_until": entry.snooze.until.isoformat() if entry.snooze else None,
    }
