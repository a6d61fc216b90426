"""What the portal needs of the settings, checked before it starts.

What does not belong here: reading variables (`settings`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fullscript_pipeline.encryption import is_guessable
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.files import Files, open_files
from fullscript_pipeline.portal_store import split_keys
from fullscript_pipeline.settings import ServerSettings, Settings, foreign_address_advice

KEY_VARIABLES = (
    "FULLSCRIPT_ENCRYPTION_KEY",
    "FULLSCRIPT_ENCRYPTION_KEY_FILE",
    "FULLSCRIPT_ENCRYPTION_KEY_COMMAND",
)


@dataclass(frozen=True, kw_only=True)
class OperatorApp:
    """The portal's client at the operators' OpenID provider. `patient_role`: None where no operator sees a patient."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    roles_claim: str
    operator_role: str
    patient_role: str | None


@dataclass(frozen=True, kw_only=True)
class PortalConfiguration:
    """The portal's address, its keys (the newest first), its app on each server, who sees whom, how long sessions last.

    `servers`: with the id and secret of the portal's app as `client_id` and `client_secret`. `connecting_client_ids`:
    the pipeline's own app on each server whose clinics can be connected here. `requests`: the queue's file. `pages`:
    what the pipeline wrote, in a folder or a bucket.
    """

    url: str
    keys: tuple[str, ...] = field(repr=False)
    servers: Mapping[str, ServerSettings]
    pages: Files
    store: Path
    requests: Path
    connecting_client_ids: Mapping[str, str]
    admitted_clinics: frozenset[str]
    shows_whole_clinic: bool
    makes_drafts: bool
    proxies: tuple[str, ...]
    idle_seconds: int
    session_seconds: int
    time_zone: ZoneInfo
    operators: OperatorApp | None

    @property
    def is_https(self) -> bool:
        return self.url.startswith("https:")

    @property
    def host(self) -> str:
        """The Host of requests to the portal."""
        return urlsplit(self.url).netloc.lower()

    @property
    def redirect_uri(self) -> str:
        return f"{self.url}/callback"

    @property
    def operator_redirect_uri(self) -> str:
        """An address of its own: what one server answers is never taken for another's."""
        return f"{self.url}/operators/callback"


def refuse_encryption_key(variables: Mapping[str, str]) -> None:
    """Raises ConfigurationError where the process could read the encryption key: the portal must not have it."""
    if given := [name for name in KEY_VARIABLES if variables.get(name)]:
        raise ConfigurationError(
            f"{given[0]} is set, and the portal must never have the encryption key: start `web serve` in an "
            "environment (and a working directory without a .env) that does not hold it."
        )


def configure(settings: Settings) -> PortalConfiguration:
    """Raises ConfigurationError naming the setting that is missing or cannot be used."""
    keys = split_keys(settings.web_key)
    if not keys:
        raise ConfigurationError(
            "FULLSCRIPT_WEB_KEY is not set: the portal seals with it what it stores. `fullscript-pipeline keys new` "
            "prints a good one; it must not be the encryption key."
        )
    servers = _portal_apps(settings, keys)
    return PortalConfiguration(
        url=settings.web_url,
        keys=keys,
        servers=servers,
        pages=open_files(settings, "reports"),
        store=settings.portal_path,
        requests=settings.portal_requests_path,
        connecting_client_ids=_connecting_client_ids(settings),
        admitted_clinics=frozenset(settings.web_clinics),
        makes_drafts=settings.web_drafts,
        proxies=settings.web_proxies,
        shows_whole_clinic=settings.web_patients == "clinic",
        idle_seconds=settings.web_idle_minutes * 60,
        session_seconds=settings.web_session_hours * 3600,
        time_zone=settings.time_zone,
        operators=_operator_app(settings),
    )


def _operator_app(settings: Settings) -> OperatorApp | None:
    """None: operators do not sign in here."""
    if not settings.web_oidc_issuer:
        return None
    if not settings.web_oidc_client_id or not settings.web_oidc_client_secret:
        raise ConfigurationError(
            "FULLSCRIPT_WEB_OIDC_ISSUER is set without FULLSCRIPT_WEB_OIDC_CLIENT_ID and "
            "FULLSCRIPT_WEB_OIDC_CLIENT_SECRET: register the portal at the provider, with the redirect URI "
            f"{settings.web_url}/operators/callback, and set both."
        )
    if find_spec("authlib") is None:
        raise ConfigurationError(
            "FULLSCRIPT_WEB_OIDC_ISSUER is set, and what signs operators in is not installed: install "
            "`fullscript-pipeline[web]`."
        )
    return OperatorApp(
        issuer=settings.web_oidc_issuer,
        client_id=settings.web_oidc_client_id,
        client_secret=settings.web_oidc_client_secret,
        scopes=settings.web_oidc_scopes,
        roles_claim=settings.web_oidc_roles_claim,
        operator_role=settings.web_oidc_operator_role,
        patient_role=settings.web_oidc_patient_role or None,
    )


def _portal_apps(settings: Settings, keys: Sequence[str]) -> dict[str, ServerSettings]:
    """The portal's app on each server that it has one on."""
    servers = {
        name: _checked(replace(server, client_id=server.web_client_id, client_secret=server.web_client_secret))
        for name, server in settings.servers.items()
        if server.web_client_id
    }
    if not servers:
        raise ConfigurationError(
            "The portal has no app: set FULLSCRIPT_<ENV>_WEB_CLIENT_ID and FULLSCRIPT_<ENV>_WEB_CLIENT_SECRET of an "
            f"app of its own, with the redirect URI {settings.web_url}/callback."
        )
    kinds = {server.is_production for server in servers.values()}
    if len(kinds) > 1:
        raise ConfigurationError(
            "The portal has an app on a sandbox and one on a production server: a data directory holds either sandbox "
            "data or production data, so unset the FULLSCRIPT_<ENV>_WEB_CLIENT_ID of one."
        )
    if True in kinds and any(map(is_guessable, keys)):
        raise ConfigurationError(
            "FULLSCRIPT_WEB_KEY is to seal tokens of a production server, and it can be guessed: set it to one that "
            "`fullscript-pipeline keys new` prints."
        )
    return servers


def _connecting_client_ids(settings: Settings) -> dict[str, str]:
    """Empty where the pipeline's app is answered elsewhere: Fullscript knows one redirect URI of an app."""
    if settings.redirect_uri != f"{settings.web_url}/callback":
        return {}
    return {name: server.client_id for name, server in settings.servers.items() if server.client_id}


def _checked(server: ServerSettings) -> ServerSettings:
    if not server.client_secret:
        raise ConfigurationError(f"{server.variable('WEB_CLIENT_SECRET')} is not set: the portal's app needs it.")
    if foreign := server.foreign_address():
        variable, host = foreign
        raise ConfigurationError(
            f"{variable} leads to {host}, which is not the vendor's: the tokens of clinicians would go there. "
            f"{foreign_address_advice(variable, host)}"
        )
    return server
