"""Speaks HTTP to Fullscript, and only reads: sessions, pages, OAuth, the error classes, the interface of the budget.

It knows nothing of Dagster, DuckDB or where tokens are stored (`state` implements its Protocols).
"""

from fullscript_pipeline.api.address_check import check_api_address, check_sign_in_page
from fullscript_pipeline.api.authorization_flow import ConnectFlow, ConnectResult, disconnect
from fullscript_pipeline.api.clinic_identity import ClinicRef, Grant
from fullscript_pipeline.api.description import Difference, Differences
from fullscript_pipeline.api.endpoints import ENDPOINTS
from fullscript_pipeline.api.errors import (
    AuthError,
    BadResponse,
    ConnectRefused,
    FullscriptError,
    NotFound,
    RateLimited,
    RequestRefused,
    RequestSummary,
    ScopeError,
    ServerError,
    WrongAddress,
)
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.api.purged_record_filter import PurgedIds, PurgedObjectError, names_people
from fullscript_pipeline.api.rate_limit import Budget, Priority
from fullscript_pipeline.api.response_parsing import Page, Record, SingleRecord, record_ids
from fullscript_pipeline.api.scopes import missing_read_scopes, read_width, write_scopes
from fullscript_pipeline.api.server_clock import REFUSE_AFTER, WARN_AFTER, WrongClock, format_clock_lead
from fullscript_pipeline.api.server_probe import ServerProbe, clock_offset, probe_server
from fullscript_pipeline.api.session import ClinicSession
from fullscript_pipeline.api.session_factory import open_session
from fullscript_pipeline.api.thread_pool import iter_completed
from fullscript_pipeline.api.tokens import APP_REFUSED

__all__ = [
    "APP_REFUSED",
    "ENDPOINTS",
    "REFUSE_AFTER",
    "WARN_AFTER",
    "AuthError",
    "BadResponse",
    "Budget",
    "ClinicRef",
    "ClinicSession",
    "ConnectFlow",
    "ConnectRefused",
    "ConnectResult",
    "Difference",
    "Differences",
    "FullscriptError",
    "Grant",
    "HttpClient",
    "NotFound",
    "Page",
    "Priority",
    "PurgedIds",
    "PurgedObjectError",
    "RateLimited",
    "Record",
    "RequestRefused",
    "RequestSummary",
    "ScopeError",
    "ServerError",
    "ServerProbe",
    "SingleRecord",
    "WrongAddress",
    "WrongClock",
    "check_api_address",
    "check_sign_in_page",
    "clock_offset",
    "disconnect",
    "format_clock_lead",
    "iter_completed",
    "missing_read_scopes",
    "names_people",
    "open_session",
    "probe_server",
    "read_width",
    "record_ids",
    "write_scopes",
]
