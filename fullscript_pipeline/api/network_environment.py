"""Reads proxies and certificates from the environment: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and similar variables.

httpx does not read them, because it raises a traceback for values that other programs accept (`::1/128` in NO_PROXY, a
SOCKS proxy, a missing certificate file). A server on this machine is never reached through a proxy. What does not
belong here: requests (`http`), addresses of the vendor's servers (`settings`).
"""

import ipaddress
import os
import ssl
import threading
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import httpx

from fullscript_pipeline.errors import ConfigurationError

_PROXY_SCHEMES = ("http", "https")
_CERTIFICATES = {"SSL_CERT_FILE": Path.is_file, "SSL_CERT_DIR": Path.is_dir}


class RoutedTransport(httpx.BaseTransport):
    """Sends each request through the proxy that the environment names for it, or directly.

    Raises ConfigurationError in the constructor for missing certificates, and for a request through an unusable proxy.
    """

    def __init__(self, limits: httpx.Limits) -> None:
        self._limits, self._trusted = limits, trusted_certificates()
        self._proxies = urllib.request.getproxies()
        self._bypassed = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        self._lock = threading.Lock()
        # By the address of the proxy; '' for a direct connection.
        self._transports: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._transport(proxy_for(request.url, self._proxies, self._bypassed)).handle_request(request)

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()

    def _transport(self, proxy: str | None) -> httpx.HTTPTransport:
        with self._lock:
            if (transport := self._transports.get(proxy or "")) is None:
                through = httpx.Proxy(proxy) if proxy else None
                transport = httpx.HTTPTransport(verify=self._trusted, limits=self._limits, proxy=through)
                self._transports[proxy or ""] = transport
        return transport


def proxy_for(url: httpx.URL, named: Mapping[str, str], no_proxy: str) -> str | None:
    """The address of the proxy for a request, from `named` (by scheme, or `all`); None: connect directly.

    Raises ConfigurationError if it is not an http or https proxy.
    """
    scheme = url.scheme if named.get(url.scheme) else "all"
    value = named.get(scheme, "").strip()
    if not value or is_bypassed(url.host, url.port, no_proxy):
        return None
    variable = f"{scheme.upper()}_PROXY"
    address = value if "://" in value else f"http://{value}"
    kind = address.partition("://")[0].lower()
    if kind not in _PROXY_SCHEMES:
        raise ConfigurationError(
            f"{variable} names a {kind} proxy, and only http and https proxies can be used: set it to one of those, or "
            "unset it (also in small letters) to connect directly."
        )
    try:
        url = httpx.Proxy(address).url
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL()
    if not url.host:
        raise ConfigurationError(
            f"{variable} is not the address of a proxy: it must look like http://proxy.example:3128."
        )
    return address


def is_bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    """Whether a host is reached directly: on this machine, or on the list `no_proxy`.

    An entry is a name (which includes its subdomains), an address, a network (`10.0.0.0/8`, `::1/128`), each with or
    without a port and brackets, or `*`. Any other entry matches nothing.
    """
    address = _ip(host)
    if host.lower().rstrip(".") == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_covers(entry.strip().lower(), host.lower().rstrip("."), port) for entry in no_proxy.split(","))


def _covers(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    address, network = _ip(host), _network(entry)
    if address is not None and network is not None:
        return address in network
    name, of_port = _without_port(entry)
    if of_port is not None and port is not None and of_port != port:
        return False
    if address is not None:
        return _ip(name) == address
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _without_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    is_port = colon and port.isdigit() and (":" not in name or name.endswith("]"))
    return (name, int(port)) if is_port else (entry, None)


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False) if "/" in entry else None
    except ValueError:
        return None


def trusted_certificates() -> ssl.SSLContext:
    """The trusted CA certificates. Raises ConfigurationError if the environment names some that cannot be read."""
    return _context(*(os.environ.get(variable, "") for variable in (*_CERTIFICATES, "SSLKEYLOGFILE")))


@cache
def _context(*_: str) -> ssl.SSLContext:
    """Cached, because reading the certificates takes 20 ms or more."""
    for variable, is_there in _CERTIFICATES.items():
        value = os.environ.get(variable)
        if value and not is_there(Path(value)):
            raise ConfigurationError(f"{variable} names {value}, which is not there: correct it, or unset it.")
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as problem:
        named = next((name for name in (*_CERTIFICATES, "SSLKEYLOGFILE") if os.environ.get(name)), "SSL_CERT_FILE")
        raise ConfigurationError(
            f"The certificates that {named} names cannot be read ({type(problem).__name__}): correct it, or unset it."
        ) from None
