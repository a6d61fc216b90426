"""Where the vendor's four servers are: the API and the authorize page of each, as documented.

What does not belong here: what a user sets instead (settings.py), and anything that talks to a server.
"""

from itertools import chain
from urllib.parse import urlsplit

# (API, authorize page) as the vendor documents them, the default first. Its pages disagree: the API reference says
# fullscript.io, a newer page fullscript.com for production; and the sandboxes' authorize page is shown in two places.
# Whoever sets FULLSCRIPT_<ENV>_API_URL to one of them gets the authorize page of the same family, and the reverse.
VENDOR_URLS: dict[str, tuple[tuple[str, str], ...]] = {
    "us": (
        ("https://api-us.fullscript.io/api", "https://api-us.fullscript.io/oauth/authorize"),
        ("https://api-us.fullscript.com/api", "https://api-us.fullscript.com/api/oauth/authorize"),
    ),
    "ca": (
        ("https://api-ca.fullscript.io/api", "https://api-ca.fullscript.io/oauth/authorize"),
        ("https://api-ca.fullscript.com/api", "https://api-ca.fullscript.com/api/oauth/authorize"),
    ),
    "us-snd": (
        ("https://api-us-snd.fullscript.io/api", "https://us-snd.fullscript.io/oauth/authorize"),
        ("https://api-us-snd.fullscript.io/api", "https://api-us-snd.fullscript.io/api/oauth/authorize"),
    ),
    "ca-snd": (
        ("https://api-ca-snd.fullscript.io/api", "https://ca-snd.fullscript.io/oauth/authorize"),
        ("https://api-ca-snd.fullscript.io/api", "https://api-ca-snd.fullscript.io/api/oauth/authorize"),
    ),
}


# Everything below them is the vendor's.
_VENDOR_DOMAINS = ("fullscript.io", "fullscript.com")


def is_vendor_host(host: str) -> bool:
    """Whether the host is below one of the vendor's domains."""
    name = host.lower().rstrip(".")
    return any(name == domain or name.endswith(f".{domain}") for domain in _VENDOR_DOMAINS)


def server_at(url: str) -> str | None:
    """Which of the vendor's servers has this host; None: it is none of the vendor's."""
    host = urlsplit(url).hostname
    for name, families in VENDOR_URLS.items():
        if host in {urlsplit(address).hostname for address in chain(*families)}:
            return name
    return None


def vendor_urls(name: str, api_url: str | None, authorize_url: str | None) -> tuple[str, str]:
    """The family of vendor URLs that what is set belongs to; the first one otherwise."""
    families = VENDOR_URLS[name]
    given = {url.rstrip("/") for url in (api_url, authorize_url) if url}
    return next((family for family in families if given and given <= set(family)), families[0])
