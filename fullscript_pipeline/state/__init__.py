"""The small operational store (SQLite): clinics, tokens, event ledger, webhook inbox, feed positions, request budget.

It uses `api`'s public types and knows nothing of Dagster or the warehouse.
"""

from fullscript_pipeline.state import future_stamps, schema
from fullscript_pipeline.state.audit import AuditEntry, AuditHead
from fullscript_pipeline.state.clinic_choices import (
    ZoneSource,
    clinic_language,
    clinic_time_zone,
    pages_show_contact,
    zone_with_source,
)
from fullscript_pipeline.state.clinics import Clinic, ClinicRecords
from fullscript_pipeline.state.database import remove_store
from fullscript_pipeline.state.event_ledger import LedgerEvent
from fullscript_pipeline.state.event_tries import EventBacklog, Outcome
from fullscript_pipeline.state.purge import purge_clinic, purge_patient, rows_of_patient
from fullscript_pipeline.state.request_budget import RequestBudget
from fullscript_pipeline.state.revocations import TO_BE_REVOKED, ClinicUser
from fullscript_pipeline.state.snoozes import Snooze
from fullscript_pipeline.state.store import StateStore
from fullscript_pipeline.state.webhook_inbox import Delivery, DeliveryState, InboxSize

__all__ = [
    "TO_BE_REVOKED",
    "AuditEntry",
    "AuditHead",
    "Clinic",
    "ClinicRecords",
    "ClinicUser",
    "Delivery",
    "DeliveryState",
    "EventBacklog",
    "InboxSize",
    "LedgerEvent",
    "Outcome",
    "RequestBudget",
    "Snooze",
    "StateStore",
    "ZoneSource",
    "clinic_language",
    "clinic_time_zone",
    "future_stamps",
    "pages_show_contact",
    "purge_clinic",
    "purge_patient",
    "remove_store",
    "rows_of_patient",
    "schema",
    "zone_with_source",
]
