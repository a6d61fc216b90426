"""Speaks HTTP to Fullscript, and only reads: sessions, pages, OAuth, the error classes, the interface of the budget.

It knows nothing of Dagster, DuckDB or where tokens are stored (`state` implements its Protocols).
"""

from fullscript_pipeline.api.address_check import check_api_address, check_sign_in_page
from fullscript_pipeline.api.assumptions import WHOLE_UTC_DAYS, store_assumptions, stored_assumptions
from fullscript_pipeline.api.authorization_flow import ConnectFlow, ConnectResult, connect_with_code, disconnect
from fullscript_pipeline.api.clinic_identity import ClinicRef, Grant
from fullscript_pipeline.api.description import Difference, Differences
from fullscript_pipeline.api.endpoints import ENDPOINTS
from fullscript_pipeline.api.errors import (
    AuthError,
    BadResponse,
    ConnectRefused,
    FullscriptError,
    InvalidGrant,
    NotFound,
    RateLimited,
    RequestRefused,
    RequestSummary,
    ScopeError,
    ServerError,
    WrongAddress,
)
from fullscript_pipeline.api.fixed_token import FixedToken
from fullscript_pipeline.api.http import HttpClient, HttpRequest, HttpResponse
from fullscript_pipeline.api.oauth import GrantedTokens, TokenEndpoint, authorize_url
from fullscript_pipeline.api.purged_record_filter import PurgedIds, PurgedObjectError, names_people
from fullscript_pipeline.api.rate_limit import Budget, Priority
from fullscript_pipeline.api.response_parsing import Page, Record, SingleRecord, record_ids
from fullscript_pipeline.api.retry import RetryPolicy
from fullscript_pipeline.api.scopes import grant_preference, missing_read_scopes, write_scopes
from fullscript_pipeline.api.server_clock import REFUSE_AFTER, WARN_AFTER, WrongClock, clock_lead, format_clock_lead
from fullscript_pipeline.api.server_probe import ServerProbe, clock_offset, probe_server
from fullscript_pipeline.api.session import ClinicSession
from fullscript_pipeline.api.session_factory import SessionStore, open_session
from fullscript_pipeline.api.status_errors import error_for
from fullscript_pipeline.api.thread_pool import iter_completed
from fullscript_pipeline.api.tokens import APP_REFUSED

__all__ = [
    "APP_REFUSED",
    "ENDPOINTS",
    "REFUSE_AFTER",
    "WARN_AFTER",
    "WHOLE_UTC_DAYS",
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
    "FixedToken",
    "FullscriptError",
    "Grant",
    "GrantedTokens",
    "HttpClient",
    "HttpRequest",
    "HttpResponse",
    "InvalidGrant",
    "NotFound",
    "Page",
    "Priority",
    "PurgedIds",
    "PurgedObjectError",
    "RateLimited",
    "Record",
    "RequestRefused",
    "RequestSummary",
    "RetryPolicy",
    "ScopeError",
    "ServerError",
    "ServerProbe",
    "SessionStore",
    "SingleRecord",
    "TokenEndpoint",
    "WrongAddress",
    "WrongClock",
    "authorize_url",
    "check_api_address",
    "check_sign_in_page",
    "clock_lead",
    "clock_offset",
    "connect_with_code",
    "disconnect",
    "error_for",
    "format_clock_lead",
    "grant_preference",
    "iter_completed",
    "missing_read_scopes",
    "names_people",
    "open_session",
    "probe_server",
    "record_ids",
    "store_assumptions",
    "stored_assumptions",
    "write_scopes",
]
