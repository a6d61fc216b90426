"""What the environment may say, and the sentence for what it may not."""

import os
import subprocess
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.secret_variables import hidden_secrets
from fullscript_pipeline.settings import SERVER_NAMES, load_settings


def test_defaults_are_the_contracts(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.data_dir == tmp_path / "data"
    assert settings.warehouse_path == tmp_path / "data" / "fullscript.duckdb"
    assert settings.reports_dir == tmp_path / "data" / "reports"
    assert (str(settings.time_zone), settings.start_date) == ("UTC", None)
    assert settings.requests_per_5_min == 4750
    assert settings.redirect_uri == "http://127.0.0.1:8765/callback"
    assert settings.encryption_key is None
    assert tuple(settings.servers) == SERVER_NAMES == ("us", "ca", "us-snd", "ca-snd")
    for server in settings.servers.values():
        assert server.api_url.endswith("/api")
        assert server.is_production == (server.name in {"us", "ca"})
        assert server.region == server.name[:2]


def test_no_secret_is_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "US_CLIENT_SECRET",
        "ENCRYPTION_KEY",
        "PUBLISH_KEY",
        "PUBLISH_PEPPER",
        "WEBHOOK_CHALLENGE_TOKEN",
        "WEBHOOK_SIGNATURE_KEYS",
    ):
        monkeypatch.setenv(f"FULLSCRIPT_{name}", "canary")
    assert "canary" not in repr(load_settings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIME_ZONE", "Mars/Olympus"), ("TIME_ZONE", "../etc/passwd"), ("START_DATE", "yesterday"),
        ("REQUESTS_PER_5_MIN", "0"), ("REQUESTS_PER_5_MIN", "5001"), ("REQUESTS_PER_5_MIN", "many"),
        ("REQUESTS_PER_5_MIN", "9" * 5000), ("REDIRECT_URI", "ftp://host/x"), ("REDIRECT_URI", "callback"),
        ("US_SND_API_URL", "api-us.fullscript.io/api"), ("US_API_URL", "http://api-us.fullscript.io/api"),
        ("US_SND_AUTHORIZE_URL", "http://[bad"), ("REPORTS_BASE_URL", "file:///tmp"), ("CA_SND_API_URL", "http://h:99999/"),
        ("SWEEP_DAYS", "0"), ("ORDERS_TRAILING_DAYS", "-1"), ("EXTRAS", "adresses"), ("EXTRAS", "product_search:"),
        ("EXTRAS", "templates:all"), ("MART_MEMORY_MB", "100"),
        ("KEEP_LANDING_DAYS", "-1"), ("KEEP_LANDING_DAYS", "a year"),
        ("ON_FAILURE_COMMAND", "mail 'ops"), ("ON_FAILURE_URL", "ops.example.org"),
        ("ON_CHANGE_COMMAND", "mail 'ops"), ("ON_CHANGE_URL", "ops.example.org"),
    ],
)  # fmt: skip
def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"FULLSCRIPT_{name}", value)
    with pytest.raises(ConfigurationError, match=f"FULLSCRIPT_{name}") as caught:
        load_settings()
    assert caught.value.exit_code == 78


def test_production_needs_an_encryption_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("US", "US_SND"):
        monkeypatch.setenv(f"FULLSCRIPT_{name}_CLIENT_ID", "id")
        monkeypatch.setenv(f"FULLSCRIPT_{name}_CLIENT_SECRET", "secret")
    assert load_settings().require_app("us-snd").name == "us-snd"
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY"):
        load_settings().require_app("us")
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "something long")
    assert load_settings().require_app("us").is_production


def test_extras_are_read_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().extras == ()
    monkeypatch.setenv("FULLSCRIPT_EXTRAS", "addresses, product_search:vitamin d, addresses")
    assert load_settings().extras == ("addresses", "product_search:vitamin d")


def test_a_failure_is_told_by_a_program_and_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load_settings().on_failure_command, load_settings().on_failure_url) == ((), None)
    monkeypatch.setenv("FULLSCRIPT_ON_FAILURE_COMMAND", "notify --to 'the team'")
    assert load_settings().on_failure_command == ("notify", "--to", "the team")


def test_what_is_started_without_an_environment_of_its_own_gets_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_US_CLIENT_SECRET", "a-secret")
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://somebody:a-secret@host/database")
    monkeypatch.setenv("FULLSCRIPT_RUNNER", "celery+redis://:a-secret@host:6379/0")
    monkeypatch.setenv("FULLSCRIPT_SWEEP_DAYS", "9")
    with hidden_secrets():
        seen = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
    assert "a-secret" not in seen
    assert "FULLSCRIPT_SWEEP_DAYS=9" in seen
    assert os.environ["FULLSCRIPT_US_CLIENT_SECRET"] == "a-secret"


def test_workers_are_refused_while_data_are_files_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names each store that a worker elsewhere would not see, and nothing of the address."""
    assert (load_settings().runner, load_settings().broker_url) == ("local", None)
    monkeypatch.setenv("FULLSCRIPT_RUNNER", "celery+redis://:secret@host:6379/0")
    stores = {
        "STATE_URL": "postgresql://somebody@host/database",
        "FILES_URL": "s3://bucket/place",
        "WAREHOUSE_URL": "ducklake:postgres:dbname=database host=host",
    }
    missing = set(stores)
    for name, url in stores.items():
        with pytest.raises(ConfigurationError, match="FULLSCRIPT_RUNNER is celery") as caught:
            load_settings()
        assert (caught.value.exit_code, "secret" in str(caught.value)) == (78, False)
        assert {word for word in stores if f"(FULLSCRIPT_{word}" in str(caught.value)} == missing
        monkeypatch.setenv(f"FULLSCRIPT_{name}", url)
        missing.remove(name)
    assert load_settings().broker_url == "redis://:secret@host:6379/0"
    assert "secret" not in repr(load_settings())
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", "file:///srv/files")
    with pytest.raises(ConfigurationError, match="a bucket"):
        load_settings()


def test_a_queue_over_tls_is_always_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = {
        "STATE_URL": "postgresql://somebody@host/database",
        "FILES_URL": "s3://bucket/place",
        "WAREHOUSE_URL": "ducklake:postgres:dbname=database host=host",
    }
    for name, url in stores.items():
        monkeypatch.setenv(f"FULLSCRIPT_{name}", url)
    checks = "ssl_cert_reqs=required&ssl_check_hostname=true"
    monkeypatch.setenv("FULLSCRIPT_RUNNER", "celery+rediss://host:6380/1")
    assert load_settings().broker_url == f"rediss://host:6380/1?{checks}"
    monkeypatch.setenv("FULLSCRIPT_RUNNER", "celery+rediss://host/0?ssl_ca_certs=/etc/ca.crt")
    assert load_settings().broker_url == f"rediss://host/0?ssl_ca_certs=/etc/ca.crt&{checks}"


@pytest.mark.parametrize(
    "runner",
    [
        "cron",
        "celery+redis://",
        "celery+amqp://:secret@host",
        "celery+redis://host/a?b",
        "celery+redis://host/0?ssl_ca_certs=/etc/ca.crt",
        "celery+rediss://host/0?ssl_cert_reqs=none",
        "celery+rediss://host:many/0",
    ],
)
def test_another_word_is_no_runner(runner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_RUNNER", runner)
    with pytest.raises(ConfigurationError, match=r"^FULLSCRIPT_RUNNER names no runner; set it to local") as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_pods_need_shared_places_as_workers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_RUNNER", "k8s")
    with pytest.raises(ConfigurationError, match="whose pods have no disk in common, and the state store"):
        load_settings()
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://somebody@host/database")
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", "ducklake:postgres:dbname=database host=host")
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", "s3://bucket/place")
    assert (load_settings().runner_kind, load_settings().broker_url) == ("k8s", None)
