"""A server's variables: found, missing, and hosts that need a second setting."""

import pytest

from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.health.settings_and_files import check_setup
from fullscript_pipeline.settings import load_settings


@pytest.mark.parametrize("text", ["US_SND", "us-snd", "Us_sNd", " us-snd "])
def test_a_server_is_found_however_it_is_written(text: str) -> None:
    assert load_settings().server(text).name == "us-snd"


def test_an_unknown_server_is_a_usage_error_that_names_the_known() -> None:
    with pytest.raises(UsageError, match="us, ca, us-snd, ca-snd") as caught:
        load_settings().server("uk")
    assert caught.value.exit_code == 2


def test_each_server_has_its_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_CA_SND_CLIENT_ID", "the-id")
    monkeypatch.setenv("FULLSCRIPT_CA_SND_CLIENT_SECRET", "the-secret")
    monkeypatch.setenv("FULLSCRIPT_CA_SND_API_URL", "http://127.0.0.1:9/ca-snd/api/")
    monkeypatch.setenv("FULLSCRIPT_CA_SND_WEBHOOK_SIGNATURE_KEYS", "new-key, old-key,")
    monkeypatch.setenv("FULLSCRIPT_WEBHOOK_SIGNATURE_KEYS", "for-the-rest")
    monkeypatch.setenv("FULLSCRIPT_WEBHOOK_CHALLENGE_TOKEN", "challenge")
    settings = load_settings()
    mine, other = settings.server("ca-snd"), settings.server("us-snd")
    assert (mine.client_id, mine.client_secret, mine.api_url) == (
        "the-id",
        "the-secret",
        "http://127.0.0.1:9/ca-snd/api",
    )
    assert mine.webhook_signature_keys == ("new-key", "old-key")
    assert other.webhook_signature_keys == ("for-the-rest",)
    assert mine.webhook_challenge_token == other.webhook_challenge_token == "challenge"
    assert other.client_id is None


def test_an_app_that_is_not_set_up_names_the_missing_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_US_SND_CLIENT_ID", "id")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_US_SND_CLIENT_SECRET") as caught:
        load_settings().require_app("US_SND")
    assert "CLIENT_ID" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("API_URL", "https://api.example/api"),
        ("API_URL", "https://api-us.fullscript.io.example/api"),
        ("API_URL", "https://notfullscript.io/api"),
        ("API_URL", "https://api-us.fullscript.io@api.example/api"),
        ("AUTHORIZE_URL", "https://api.example/oauth/authorize"),
    ],
)
def test_a_production_server_elsewhere_needs_a_second_setting(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str
) -> None:
    for name in ("US", "US_SND"):
        monkeypatch.setenv(f"FULLSCRIPT_{name}_CLIENT_ID", "id")
        monkeypatch.setenv(f"FULLSCRIPT_{name}_CLIENT_SECRET", "secret")
        monkeypatch.setenv(f"FULLSCRIPT_{name}_{variable}", url)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "something long")
    assert load_settings().require_app("us-snd").name == "us-snd", "a sandbox may be anywhere"
    host = url.split("//")[1].split("/", maxsplit=1)[0].rpartition("@")[2]
    with pytest.raises(
        ConfigurationError, match=f"FULLSCRIPT_US_{variable} leads to {host}.*_ALLOWED_API_HOSTS={host}"
    ):
        load_settings().require_app("us")
    told = {finding.id: finding for finding in check_setup(load_settings(), None)}["settings.us.app"]
    assert (told.state, told.exit_code) == ("fail", 78)
    monkeypatch.setenv("FULLSCRIPT_ALLOWED_API_HOSTS", f"other.example, {host.upper()}")
    assert load_settings().require_app("us").name == "us"


@pytest.mark.parametrize(
    "url", ["https://api-us.fullscript.com/api", "https://API-US.fullscript.IO./api", "http://127.0.0.1:8766/us/api"]
)
def test_the_vendor_s_hosts_and_this_machine_need_none(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in (("CLIENT_ID", "id"), ("CLIENT_SECRET", "secret"), ("API_URL", url)):
        monkeypatch.setenv(f"FULLSCRIPT_US_{name}", value)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "something long")
    assert load_settings().require_app("us").name == "us"


@pytest.mark.parametrize(
    ("variable", "value", "api_url", "authorize_url"),
    [
        (None, "", "https://api-us.fullscript.io/api", "https://api-us.fullscript.io/oauth/authorize"),
        (
            "API_URL",
            "https://api-us.fullscript.com/api/",
            "https://api-us.fullscript.com/api",
            "https://api-us.fullscript.com/api/oauth/authorize",
        ),
        (
            "AUTHORIZE_URL",
            "https://api-us.fullscript.com/api/oauth/authorize",
            "https://api-us.fullscript.com/api",
            "https://api-us.fullscript.com/api/oauth/authorize",
        ),
        (
            "API_URL",
            "https://other.example/api",
            "https://other.example/api",
            "https://api-us.fullscript.io/oauth/authorize",
        ),
    ],
)
def test_one_url_of_a_family_brings_the_other(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, value: str, api_url: str, authorize_url: str
) -> None:
    """The vendor's pages name two host families for production."""
    if variable:
        monkeypatch.setenv(f"FULLSCRIPT_US_{variable}", value)
    server = load_settings().server("us")
    assert (server.api_url, server.authorize_url) == (api_url, authorize_url)
