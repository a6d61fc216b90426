"""Makes a session from settings, a store and a clinic.

What does not belong here: anything a session does once it is open.
"""

from typing import Protocol

from fullscript_pipeline.api.assumptions import ServerFacts, stored_assumptions
from fullscript_pipeline.api.clinic_identity import ClinicRef
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.api.oauth import TokenEndpoint
from fullscript_pipeline.api.purged_record_filter import PurgedIds
from fullscript_pipeline.api.rate_limit import Budget, Priority
from fullscript_pipeline.api.session import ClinicSession
from fullscript_pipeline.api.tokens import GrantStore, TokenKeeper
from fullscript_pipeline.settings import Settings


class PurgedRecords(Protocol):
    """Who was purged."""

    def ids_of(self, clinic: ClinicRef, /) -> PurgedIds | None: ...


class Budgets(Protocol):
    """The request budgets of apps."""

    def of_app(self, server: str, client_id: str, limit: int) -> Budget: ...


class SessionStore(Protocol):
    """The parts of the state store that a session uses."""

    @property
    def tokens(self) -> GrantStore: ...
    @property
    def purged(self) -> PurgedRecords: ...
    @property
    def budgets(self) -> Budgets: ...
    @property
    def facts(self) -> ServerFacts: ...


def open_session(
    settings: Settings,
    store: SessionStore,
    clinic: ClinicRef,
    *,
    priority: Priority = "present",
    client: HttpClient | None = None,
) -> ClinicSession:
    """Opens a session of `clinic` without sending a request. Close it, or use it in a `with`.

    Raises ConfigurationError if the clinic's server is not set up.
    """
    server = settings.require_app(clinic.server)
    budget = store.budgets.of_app(server.name, server.client_id or "", settings.requests_per_5_min)
    client = client or HttpClient()
    tokens = TokenKeeper(clinic, store.tokens, TokenEndpoint(server, settings.redirect_uri, client, budget))
    grant = store.tokens.load_grant(clinic)
    session = ClinicSession(
        clinic,
        server.api_url,
        client=client,
        tokens=tokens,
        budget=budget,
        priority=priority,
        user_id=grant.user_id if grant else None,
        scopes=grant.scopes if grant else (),
        purged_ids=lambda: store.purged.ids_of(clinic),
        assumed=stored_assumptions(store.facts, clinic.server),
    )
    tokens.on_grant = session.use_grant
    return session
