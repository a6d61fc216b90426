"""The vendor's four servers, one row each: region, production or sandbox, documented addresses.

What does not belong here: what a user sets instead (`settings`), and anything that talks to a server (`api`).
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

# Everything below them is the vendor's.
_VENDOR_DOMAINS = ("fullscript.io", "fullscript.com")


@dataclass(frozen=True, kw_only=True)
class ServerAddresses:
    """An API and the authorize page that belongs to it."""

    api_url: str
    authorize_url: str


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server. `addresses`: as the vendor documents them, the default first.

    The vendor's pages disagree: the API reference says fullscript.io, a newer page fullscript.com for production, and
    the sandboxes' authorize page is shown in two places.
    """

    name: str
    region: str
    is_production: bool
    addresses: tuple[ServerAddresses, ...]

    def addresses_for(self, api_url: str | None, authorize_url: str | None) -> ServerAddresses:
        """The addresses of the same family as those that are set; else the default."""
        given = {url.rstrip("/") for url in (api_url, authorize_url) if url}
        families = self.addresses
        return next(
            (family for family in families if given and given <= {family.api_url, family.authorize_url}), families[0]
        )


def _production(name: str) -> Server:
    return Server(
        name=name,
        region=name,
        is_production=True,
        addresses=(
            ServerAddresses(
                api_url=f"https://api-{name}.fullscript.io/api",
                authorize_url=f"https://api-{name}.fullscript.io/oauth/authorize",
            ),
            ServerAddresses(
                api_url=f"https://api-{name}.fullscript.com/api",
                authorize_url=f"https://api-{name}.fullscript.com/api/oauth/authorize",
            ),
        ),
    )


def _sandbox(region: str) -> Server:
    name = f"{region}-snd"
    api_url = f"https://api-{name}.fullscript.io/api"
    return Server(
        name=name,
        region=region,
        is_production=False,
        addresses=(
            ServerAddresses(api_url=api_url, authorize_url=f"https://{name}.fullscript.io/oauth/authorize"),
            ServerAddresses(api_url=api_url, authorize_url=f"{api_url}/oauth/authorize"),
        ),
    )


SERVERS: dict[str, Server] = {
    server.name: server for server in (_production("us"), _production("ca"), _sandbox("us"), _sandbox("ca"))
}


def is_vendor_host(host: str) -> bool:
    """Whether the host is below one of the vendor's domains."""
    name = host.lower().rstrip(".")
    return any(name == domain or name.endswith(f".{domain}") for domain in _VENDOR_DOMAINS)


def server_at(url: str) -> str | None:
    """The name of the vendor's server that has this host; None: it is none of the vendor's."""
    host = urlsplit(url).hostname
    for server in SERVERS.values():
        urls = (url for family in server.addresses for url in (family.api_url, family.authorize_url))
        if host in {urlsplit(url).hostname for url in urls}:
            return server.name
    return None
