"""The parts of a running portal, made once and passed to whatever answers requests.

What does not belong here: what is answered.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from fullscript_pipeline import clock
from fullscript_pipeline.portal_store import PageSeal, PortalDatabase, PortalRequests, Seal
from fullscript_pipeline.web.audit_log import PortalAudit
from fullscript_pipeline.web.clinic_files import AllClinicFiles
from fullscript_pipeline.web.configuration import PortalConfiguration
from fullscript_pipeline.web.digest_key import Digests, read_digests
from fullscript_pipeline.web.fullscript_app import FullscriptApp
from fullscript_pipeline.web.notes import PatientNotes
from fullscript_pipeline.web.rate_limit import Limits
from fullscript_pipeline.web.schema import TABLES
from fullscript_pipeline.web.sessions import OPERATORS, PortalUser, Sessions, TokenToRevoke
from fullscript_pipeline.web.sign_ins import SignInRecords
from fullscript_pipeline.web.stored_data import reseal_portal

if TYPE_CHECKING:
    from fullscript_pipeline.web.openid_provider import OpenIdProvider


@dataclass(frozen=True, kw_only=True)
class Portal:
    """Everything that an answer may need. `now`: seconds since 1970, by this machine's clock."""

    configuration: PortalConfiguration
    database: PortalDatabase
    digests: Digests
    sessions: Sessions
    sign_ins: SignInRecords
    audit: PortalAudit
    notes: PatientNotes
    requests: PortalRequests
    clinics: AllClinicFiles
    apps: Mapping[str, FullscriptApp]
    operators: "OpenIdProvider | None"
    now: Callable[[], float]
    limits: Limits

    @classmethod
    def open(
        cls, configuration: PortalConfiguration, now: Callable[[], float] = time.time, limits: Limits | None = None
    ) -> "Portal":
        """Raises ConfigurationError if the store cannot be used."""
        reseal_portal(configuration.store, configuration.keys)
        database, seal = PortalDatabase(configuration.store, TABLES), Seal(configuration.keys)
        digests = read_digests(database, seal)
        return cls(
            configuration=configuration,
            database=database,
            digests=digests,
            sessions=Sessions(
                database,
                seal,
                idle_seconds=configuration.idle_seconds,
                longest_seconds=configuration.session_seconds,
                now=now,
            ),
            sign_ins=SignInRecords(database, now),
            audit=PortalAudit(database, digests, now),
            notes=PatientNotes(database, seal, now),
            requests=PortalRequests(configuration.requests, configuration.keys, now),
            clinics=AllClinicFiles(configuration.pages, PageSeal(configuration.keys)),
            apps={
                name: FullscriptApp.of_server(server, configuration.redirect_uri)
                for name, server in configuration.servers.items()
            },
            operators=_open_provider(configuration, now),
            now=now,
            limits=limits or Limits(),
        )

    def today(self) -> date:
        """The day of the clinics' data, by which somebody is set aside."""
        return clock.today(self.configuration.time_zone)

    def clinic_key_of(self, user: PortalUser) -> str | None:
        """The clinic of the user; None: it has no pages yet."""
        clinic = self.clinics.of_clinic_id(self.configuration.servers[user.server].region, user.clinic_id)
        return clinic.clinic_key if clinic else None

    def revoke_closed(self) -> int:
        """Revokes the tokens of closed sessions at Fullscript; returns how many are left for the next time."""
        left = 0
        for token in self.sessions.to_revoke():
            if self._is_revoked(token):
                self.sessions.forget_revoked(token)
            else:
                left += 1
        return left

    def _is_revoked(self, token: TokenToRevoke) -> bool:
        if token.server == OPERATORS:
            return self.operators is None or self.operators.revoke(token.token)
        app = self.apps.get(token.server)
        return app is not None and app.revoke(token.token)

    def close(self) -> None:
        for app in self.apps.values():
            app.client.close()
        self.requests.close()
        self.database.close()


def _open_provider(configuration: PortalConfiguration, now: Callable[[], float]) -> "OpenIdProvider | None":
    """None: operators do not sign in here, and nothing of the extra `web` is imported."""
    if configuration.operators is None:
        return None
    from fullscript_pipeline.web.openid_provider import OpenIdProvider  # noqa: PLC0415

    return OpenIdProvider(configuration.operators, configuration.operator_redirect_uri, now)
