"""Proxies and certificates of company machines and containers: they work, or one sentence names the variable."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.api.errors import ServerError
from fullscript_pipeline.api.http import HttpClient, HttpRequest
from fullscript_pipeline.api.network_environment import is_bypassed, proxy_for
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline_tests.helpers.certificates import certificate_of_localhost
from fullscript_pipeline_tests.helpers.stub_server import Reply, odd_server

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("host", "port", "no_proxy", "direct"),
    [
        ("127.0.0.1", 8000, "", True),
        ("127.0.0.9", 8000, "", True),
        ("::1", 8000, "", True),
        ("localhost", 8000, "", True),
        ("api.example.com", 443, "", False),
        ("api.example.com", 443, "*", True),
        ("api.example.com", 443, "example.com", True),
        ("api.example.com", 443, ".example.com", True),
        ("api.example.com", 443, "*.example.com", True),
        ("api.example.com", 443, "ample.com", False),
        ("api.example.com", 443, "other.com , Example.COM", True),
        ("api.example.com", 443, "example.com:443", True),
        ("api.example.com", 443, "example.com:80", False),
        ("10.1.2.3", 80, "10.0.0.0/8", True),
        ("11.1.2.3", 80, "10.0.0.0/8,localhost", False),
        ("10.1.2.3", 80, "10.1.2.3", True),
        ("2001:db8::5", 443, "2001:db8::/32", True),
        ("2001:db8::5", 443, "[2001:db8::5]", True),
        ("2001:db8::5", 443, "[2001:db8::5]:443", True),
        ("2001:db8::5", 443, "2001:db8::6,::1/128", False),
        ("api.example.com", 443, "localhost,127.0.0.0/8,::1/128,[::1],,[,10.0.0.0/99", False),
    ],
)
def test_who_is_reached_directly(host: str, port: int, no_proxy: str, direct: bool) -> None:
    assert is_bypassed(host, port, no_proxy) is direct


@given(st.text(max_size=40))
def test_no_spelling_of_the_list_is_an_error(no_proxy: str) -> None:
    assert is_bypassed("127.0.0.1", 80, no_proxy)
    is_bypassed("api.example.com", 443, no_proxy)


def test_requests_go_through_the_proxy_that_is_named_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with odd_server([Reply(body={"by": "proxy"})]) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
        monkeypatch.setenv("NO_PROXY", "localhost,[::1],127.0.0.0/8,::1/128")
        with HttpClient() as client:
            assert client.send(
                HttpRequest(endpoint="clinic", server="us-snd", url="http://api.example.invalid/clinic")
            ).json() == {"by": "proxy"}
            with odd_server([Reply(body={"by": "itself"})]) as server:
                assert client.send(
                    HttpRequest(endpoint="clinic", server="us-snd", url=f"{server.url}/clinic")
                ).json() == {"by": "itself"}
        assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HTTPS_PROXY", "socks5://127.0.0.1:1080"),
        ("ALL_PROXY", "socks5h://proxy.example:1080"),
        ("ALL_PROXY", "ftp://proxy.example"),
        ("HTTPS_PROXY", "http://"),
        ("HTTPS_PROXY", "http://[::1"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_where_one_is_needed(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with odd_server([Reply()]) as server, HttpClient() as client:
        with pytest.raises(ConfigurationError, match=variable) as told:
            client.send(HttpRequest(endpoint="clinic", server="us", url="https://api.example.invalid/clinic"))
        assert told.value.exit_code == 78
        assert client.send(HttpRequest(endpoint="clinic", server="us-snd", url=f"{server.url}/clinic")).status == 200, (
            "no proxy is needed here"
        )


def test_a_proxy_for_another_scheme_does_not_concern_us() -> None:
    assert proxy_for(httpx.URL("https://api.example.com"), {"ftp": "ftp://x", "http": "http://y"}, "") is None
    assert proxy_for(httpx.URL("https://api.example.com"), {"all": "y:3128", "http": "http://z"}, "") == "http://y:3128"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_named(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match=rf"{variable} names .*missing"):
        HttpClient()


def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "roots.pem").write_text("these are not certificates")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        HttpClient()


@pytest.fixture
def own_certificate(tmp_path: Path) -> tuple[Path, Path]:
    return certificate_of_localhost(tmp_path)


@pytest.fixture
def tls_server(own_certificate: tuple[Path, Path]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that does not trust us hangs up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*own_certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_address[1]}"
        server.shutdown()


def test_an_untrusted_certificate_is_reported_and_can_be_trusted(
    tls_server: str, own_certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with HttpClient() as client, pytest.raises(ServerError, match=r"certificate is not trusted.*SSL_CERT_FILE"):
        client.send(HttpRequest(endpoint="clinic", server="us-snd", url=f"{tls_server}/clinic"))
    monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate[0]))
    with HttpClient() as client:
        assert client.send(HttpRequest(endpoint="clinic", server="us-snd", url=f"{tls_server}/clinic")).status == 204
