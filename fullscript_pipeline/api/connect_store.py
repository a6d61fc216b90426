"""What connecting and disconnecting a clinic use of the state store, part by part.

What does not belong here: what a session uses (`session_factory`); what the parts store (`state`).
"""

from typing import Literal, Protocol

from fullscript_pipeline.api.assumptions import ServerFacts
from fullscript_pipeline.api.clinic_identity import ClinicRef, Grant
from fullscript_pipeline.api.session_factory import SessionStore
from fullscript_pipeline.api.tokens import GrantStore


class ConnectGrants(GrantStore, Protocol):
    """The grants, and the OAuth states of connects in progress."""

    def new_oauth_state(self, server: str) -> str: ...
    def use_oauth_state(self, server: str, state: str) -> str: ...


class ClinicRegister(Protocol):
    """The connected clinics."""

    def register(self, server: str, clinic_id: str, region: str, name: str | None) -> ClinicRef: ...


class Revocations(Protocol):
    """The grants that are still to be revoked."""

    def start_revoking(self, clinic: ClinicRef, user_id: str | None = None) -> list[Grant]: ...
    def record_not_revoked(self, clinic: ClinicRef, user_id: str, reason: str) -> None: ...
    def forget_grant(self, clinic: ClinicRef, user_id: str) -> None: ...


class EnvironmentKind(ServerFacts, Protocol):
    """What kind of servers the data directory is for."""

    def set_environment_kind(self, kind: Literal["sandbox", "production"]) -> None: ...


class ConnectStore(SessionStore, Protocol):
    """The parts of the state store that connecting uses."""

    @property
    def tokens(self) -> ConnectGrants: ...
    @property
    def clinics(self) -> ClinicRegister: ...
    @property
    def revocations(self) -> Revocations: ...
    @property
    def facts(self) -> EnvironmentKind: ...
