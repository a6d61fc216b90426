"""The small operational store: clinics, tokens, event ledger, webhook inbox, feed positions, request budget.

It is a SQLite file, or on PostgreSQL for several machines. It uses `api`'s public types and knows nothing of Dagster or
the warehouse.
"""

from fullscript_pipeline.state import future_stamps, schema
from fullscript_pipeline.state.audit import AuditEntry, AuditHead
from fullscript_pipeline.state.change_notices import ChangeNotice
from fullscript_pipeline.state.clinic_choices import (
    ZoneSource,
    clinic_language,
    clinic_time_zone,
    pages_show_contact,
    zone_with_source,
)
from fullscript_pipeline.state.clinics import Clinic, ClinicRecords
from fullscript_pipeline.state.database import RemoteDatabase
from fullscript_pipeline.state.event_ledger import LedgerEvent
from fullscript_pipeline.state.event_tries import EventBacklog, Outcome
from fullscript_pipeline.state.first_connection import read_first_connection_day
from fullscript_pipeline.state.landing_claims import LandingClaim, LandingClaims
from fullscript_pipeline.state.landing_days import landing_days
from fullscript_pipeline.state.opening import history_address, make_history_schema
from fullscript_pipeline.state.purge import purge_clinic, purge_patient, rows_of_patient
from fullscript_pipeline.state.request_budget import RequestBudget
from fullscript_pipeline.state.revocations import TO_BE_REVOKED, ClinicUser
from fullscript_pipeline.state.snoozes import Snooze
from fullscript_pipeline.state.sqlite_file import remove_store
from fullscript_pipeline.state.store import StateStore
from fullscript_pipeline.state.store_move import MovedTable, move_store
from fullscript_pipeline.state.webhook_inbox import Delivery, DeliveryState, InboxSize

__all__ = [
    "TO_BE_REVOKED",
    "AuditEntry",
    "AuditHead",
    "ChangeNotice",
    "Clinic",
    "ClinicRecords",
    "ClinicUser",
    "Delivery",
    "DeliveryState",
    "EventBacklog",
    "InboxSize",
    "LandingClaim",
    "LandingClaims",
    "LedgerEvent",
    "MovedTable",
    "Outcome",
    "RemoteDatabase",
    "RequestBudget",
    "Snooze",
    "StateStore",
    "ZoneSource",
    "clinic_language",
    "clinic_time_zone",
    "future_stamps",
    "history_address",
    "landing_days",
    "make_history_schema",
    "move_store",
    "pages_show_contact",
    "purge_clinic",
    "purge_patient",
    "read_first_connection_day",
    "remove_store",
    "rows_of_patient",
    "schema",
    "zone_with_source",
]
