"""The vendor's four servers and our app on each, as the settings of one server.

What does not belong here: the vendor's addresses (`fullscript_pipeline.servers`), and talking to a server (`api`).
"""

from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo

from fullscript_pipeline.loopback import is_loopback
from fullscript_pipeline.servers import SERVERS, is_vendor_host
from fullscript_pipeline.settings.value_types import Texts, check_web_url

SERVER_NAMES = tuple(SERVERS)
_VENDORS: Any = {"shown_default": "the vendor's"}


def _check_server_url(text: str, info: ValidationInfo) -> str:
    """Raises ValueError for what is no URL, or is not encrypted where a production server's tokens travel on it."""
    check_web_url(text, getattr(SERVERS[info.data["name"]].addresses[0], info.field_name or "api_url"))
    if info.data["is_production"] and urlsplit(text).scheme == "http" and not is_loopback(text):
        raise ValueError("must start with https: a production server's tokens travel on it.")
    return text.rstrip("/") if info.field_name == "api_url" else text


def _check_embed_url(text: str, info: ValidationInfo) -> str:
    """Raises ValueError for what is no origin: it stands in a Content-Security-Policy."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or text != f"{parts.scheme}://{parts.netloc}" or not parts.hostname:
        raise ValueError("must be scheme and host only, like https://us.fullscript.com.")
    if set(text) & set(" ;,'*@") or (parts.scheme == "http" and not is_loopback(text)):
        raise ValueError("must start with https and hold a plain host name.")
    return text


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """One of the vendor's four servers and our app on it. Secrets stay out of the repr."""

    name: str
    region: str
    is_production: bool
    client_id: Annotated[str | None, Field(description="your app on that server")]
    client_secret: Annotated[str | None, Field(description="your app's secret on that server")] = field(repr=False)
    api_url: Annotated[
        str, AfterValidator(_check_server_url), Field(description="where the server is", json_schema_extra=_VENDORS)
    ]
    authorize_url: Annotated[
        str,
        AfterValidator(_check_server_url),
        Field(description="where a person approves your app", json_schema_extra=_VENDORS),
    ]
    web_client_id: Annotated[str | None, Field(description="the portal's app on that server (docs/portal.md)")] = None
    web_client_secret: Annotated[str | None, Field(description="the secret of the portal's app on that server")] = (
        field(default=None, repr=False)
    )
    embed_public_key: Annotated[
        str | None,
        Field(
            description="the Embed key of the portal's app on that server: with it, the portal can show Fullscript "
            "beside a patient (docs/portal.md)"
        ),
    ] = field(default=None, repr=False)
    embed_url: Annotated[
        str,
        AfterValidator(_check_embed_url),
        Field(description="where the embedded part of Fullscript is", json_schema_extra=_VENDORS),
    ] = ""
    webhook_challenge_token: Annotated[
        str | None,
        Field(
            description="the challenge token of your app's webhook on that server",
            json_schema_extra={"shown_default": "`FULLSCRIPT_WEBHOOK_CHALLENGE_TOKEN`"},
        ),
    ] = field(default=None, repr=False)
    webhook_signature_keys: Annotated[
        Texts,
        Field(
            description="the signature keys of your app's webhook on that server; several, comma separated, while a "
            "key is rotated",
            json_schema_extra={"shown_default": "`FULLSCRIPT_WEBHOOK_SIGNATURE_KEYS`"},
        ),
    ] = field(default=(), repr=False)
    allowed_hosts: tuple[str, ...] = ()

    def variable(self, suffix: str) -> str:
        """Return this server's environment variable that ends in `suffix`: CLIENT_ID: FULLSCRIPT_US_SND_CLIENT_ID."""
        return variable_of(self.name, suffix)

    def foreign_address(self) -> tuple[str, str] | None:
        """The variable and the host of a production server's address that is neither the vendor's nor this machine's,
        unless a second setting allows it: one line that somebody slipped in must not send a clinic's secrets away."""
        for suffix, url in (("API_URL", self.api_url), ("AUTHORIZE_URL", self.authorize_url)):
            host = (urlsplit(url).hostname or "").rstrip(".")
            known = is_vendor_host(host) or is_loopback(url) or host in self.allowed_hosts
            if self.is_production and not known:
                return self.variable(suffix), host
        return None


# What a variable of each server sets; the rest of ServerSettings follows from the server's name.
SERVER_FIELDS = (
    "client_id",
    "client_secret",
    "api_url",
    "authorize_url",
    "web_client_id",
    "web_client_secret",
    "embed_public_key",
    "embed_url",
    "webhook_challenge_token",
    "webhook_signature_keys",
)


def complete_server(name: str, texts: dict[str, str], shared: dict[str, Any]) -> dict[str, Any]:
    """Return what ServerSettings is validated from: `texts` of this server's variables, completed.

    `shared` holds the texts that count where a server has none of its own.
    """
    server = SERVERS[name]
    default = server.addresses_for(texts.get("api_url"), texts.get("authorize_url"))
    return {
        "name": name,
        "region": server.region,
        "is_production": server.is_production,
        "client_id": None,
        "client_secret": None,
        "api_url": default.api_url,
        "authorize_url": default.authorize_url,
        "embed_url": f"https://{name}.fullscript.{'com' if server.is_production else 'io'}",
        **shared,
        **texts,
    }


def variable_of(server: str, suffix: str) -> str:
    """Return the environment variable of the server with this name that ends in `suffix`."""
    return f"FULLSCRIPT_{server.upper().replace('-', '_')}_{suffix}"


def api_url_advice(server: str) -> str:
    """Which variable says where a server's API is, and what it must look like."""
    documented = SERVERS[server].addresses[0].api_url
    variable = variable_of(server, "API_URL")
    return f"Set {variable} to the address that the endpoints' paths follow: it ends in /api, like {documented}."


def foreign_address_advice(variable: str, host: str) -> str:
    """What to do about `foreign_address`."""
    return f"If it is a proxy of yours, set FULLSCRIPT_ALLOWED_API_HOSTS={host} as well; if not, remove {variable}."
