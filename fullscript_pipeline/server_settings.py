"""What the environment says of the vendor's four servers and our app on each; other modules take it from settings.py.

What does not belong here: the vendor's addresses (servers.py), and talking to a server (`api`).
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fullscript_pipeline import environment
from fullscript_pipeline.servers import SERVERS, is_vendor_host

SERVER_NAMES = tuple(SERVERS)
ALLOWED_HOSTS = "FULLSCRIPT_ALLOWED_API_HOSTS"


@dataclass(frozen=True)
class ServerSettings:
    """One of the vendor's four servers and our app on it. Secrets stay out of the repr."""

    name: str
    region: str
    is_production: bool
    client_id: str | None
    client_secret: str | None = field(repr=False)
    api_url: str
    authorize_url: str
    webhook_challenge_token: str | None = field(default=None, repr=False)
    webhook_signature_keys: tuple[str, ...] = field(default=(), repr=False)
    allowed_hosts: tuple[str, ...] = ()

    def variable(self, suffix: str) -> str:
        """The environment variable of this server that ends in `suffix`: `CLIENT_ID` -> FULLSCRIPT_US_SND_CLIENT_ID."""
        return variable_of(self.name, suffix)

    def foreign_address(self) -> tuple[str, str] | None:
        """The variable and the host of a production server's address that is neither the vendor's nor this machine's,
        unless a second setting allows it: one line that somebody slipped in must not send a clinic's secrets away."""
        for suffix, url in (("API_URL", self.api_url), ("AUTHORIZE_URL", self.authorize_url)):
            host = (urlsplit(url).hostname or "").rstrip(".")
            known = is_vendor_host(host) or environment.is_loopback(url) or host in self.allowed_hosts
            if self.is_production and not known:
                return self.variable(suffix), host
        return None


def variable_of(server: str, suffix: str) -> str:
    """The environment variable of the server with this name that ends in `suffix`."""
    return f"FULLSCRIPT_{server.upper().replace('-', '_')}_{suffix}"


def api_url_advice(server: str) -> str:
    """Which variable says where a server's API is, and what it must look like."""
    documented = SERVERS[server].addresses[0].api_url
    variable = variable_of(server, "API_URL")
    return f"Set {variable} to the address that the endpoints' paths follow: it ends in /api, like {documented}."


def foreign_address_advice(variable: str, host: str) -> str:
    """What to do about `foreign_address`."""
    return f"If it is a proxy of yours, set {ALLOWED_HOSTS}={host} as well; if not, remove {variable}."


def read_server(name: str) -> ServerSettings:
    """One of SERVER_NAMES. Raises ConfigurationError naming the variable whose value cannot be used."""
    prefix = f"FULLSCRIPT_{name.upper().replace('-', '_')}_"
    server = SERVERS[name]
    default = server.addresses_for(environment.text(f"{prefix}API_URL"), environment.text(f"{prefix}AUTHORIZE_URL"))
    # One receiver may serve several servers with what they share.
    shared_token = environment.text("FULLSCRIPT_WEBHOOK_CHALLENGE_TOKEN")
    shared_keys = environment.text("FULLSCRIPT_WEBHOOK_SIGNATURE_KEYS")
    return ServerSettings(
        name=name,
        region=server.region,
        is_production=server.is_production,
        client_id=environment.text(f"{prefix}CLIENT_ID"),
        client_secret=environment.text(f"{prefix}CLIENT_SECRET"),
        api_url=environment.web_url(f"{prefix}API_URL", default.api_url, encrypted=server.is_production).rstrip("/"),
        authorize_url=environment.web_url(
            f"{prefix}AUTHORIZE_URL", default.authorize_url, encrypted=server.is_production
        ),
        webhook_challenge_token=environment.text(f"{prefix}WEBHOOK_CHALLENGE_TOKEN") or shared_token,
        webhook_signature_keys=environment.several(environment.text(f"{prefix}WEBHOOK_SIGNATURE_KEYS") or shared_keys),
        allowed_hosts=tuple(name.lower() for name in environment.several(environment.text(ALLOWED_HOSTS))),
    )
