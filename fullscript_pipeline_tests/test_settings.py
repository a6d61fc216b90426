"""Settings: what the environment may say, and the sentence for what it may not."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.health.settings_and_files import check_setup
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.secret_variables import hidden_secrets
from fullscript_pipeline.settings import SERVER_NAMES, load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


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


def test_dotenv_completes_the_environment_and_never_overrides_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.touch(mode=0o600)
    dotenv.write_text(
        "FULLSCRIPT_TIME_ZONE=America/Toronto\nFULLSCRIPT_REQUESTS_PER_5_MIN=10\nFULLSCRIPT_NOW=2026-11-22T12:00:00Z\n"
        "FULLSCRIPT_ENCRYPTION_KEY='a$b${HOME}'\n"
    )
    monkeypatch.setenv("FULLSCRIPT_REQUESTS_PER_5_MIN", "20")
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-23T12:00:00Z")
    monkeypatch.setenv("FULLSCRIPT_TIME_ZONE", "")  # so that monkeypatch puts back what the file sets
    monkeypatch.delenv("FULLSCRIPT_TIME_ZONE")
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "")
    monkeypatch.delenv("FULLSCRIPT_ENCRYPTION_KEY")
    settings = load_settings()
    assert (str(settings.time_zone), settings.requests_per_5_min) == ("America/Toronto", 20)
    assert settings.encryption_key == "a$b${HOME}"
    assert os.environ["FULLSCRIPT_NOW"] == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    "name", ["que?ry=1", "ha#sh", "per%41cent", "tr ", " lead", "~no-such-user-here/x", "bad\udcff"]
)
def test_a_data_directory_that_databases_would_misread_is_refused_before_anything_is_made(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite took what follows a ? or # for options, and made its file beside the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", name)
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_DATA_DIR"):
        load_settings()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["sp ace", "quo'te", 'dou"ble', "new\nline", "st*r", "$HOME", "semi;colon", "e\u0301", "[x]"]
)
def test_any_other_character_works_in_a_data_directory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / name))
    monkeypatch.setenv("DAGSTER_HOME", "")  # opening an instance sets it: taken back at the end
    settings = load_settings()
    settings.prepare_data_dir()
    migrate(Warehouse(settings.warehouse_path, "a key that is long enough"), [])
    with StateStore(settings.state_path, None) as store:
        store.facts.set("x", "y")
    with open_instance(settings) as instance:
        instance.add_dynamic_partitions("clinics", ["one"])
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert {"state.sqlite", "fullscript.duckdb", "dagster_home"} <= {one.name for one in settings.data_dir.iterdir()}


@pytest.mark.parametrize("line", ["sandbox ready http://127.0.0.1:8766", 'FULLSCRIPT_DATA_DIR="not closed'])
def test_a_line_of_dotenv_that_is_no_setting_is_told_by_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"# ours\nFULLSCRIPT_TIME_ZONE=UTC\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"Line 3 of .*\.env is not a setting") as told:
        load_settings()
    assert line not in str(told.value), "it may hold a secret"


def test_a_dotenv_that_others_may_write_or_that_shows_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dotenv = tmp_path / ".env"
    for name in ("FULLSCRIPT_SWEEP_DAYS", "FULLSCRIPT_PUBLISH_KEY", "FULLSCRIPT_US_SND_CLIENT_SECRET"):
        monkeypatch.setenv(name, "")  # so that what the file sets is taken back at the end
        monkeypatch.delenv(name)

    def loaded(text: str, mode: int) -> str:
        dotenv.write_text(text)
        dotenv.chmod(mode)
        try:
            load_settings()
        except ConfigurationError as problem:
            assert (problem.exit_code, "a-secret" in str(problem)) == (78, False)
            return str(problem)
        return ""

    for mode in (0o620, 0o602, 0o666, 0o777):
        assert f"Other users can write the file {dotenv}" in loaded("FULLSCRIPT_SWEEP_DAYS=9\n", mode)
    assert loaded("FULLSCRIPT_SWEEP_DAYS=9\nFULLSCRIPT_PUBLISH_KEY=\n", 0o644) == ""
    for name in ("PUBLISH_KEY", "US_SND_CLIENT_SECRET", "CA_WEBHOOK_SIGNATURE_KEYS", "ON_FAILURE_URL", "ON_CHANGE_URL"):
        for mode in (0o640, 0o604):
            told = loaded(f"export FULLSCRIPT_{name}='a-secret'\n", mode)
            assert (
                told == f"The file {dotenv} holds FULLSCRIPT_{name}, and other users can read it: `chmod 600 {dotenv}`."
            )
    assert loaded("FULLSCRIPT_PUBLISH_KEY=a-secret\n", 0o400) == ""


def test_what_a_sandbox_on_this_machine_gave_out_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dotenv, secret = tmp_path / ".env", "FULLSCRIPT_US_SND_CLIENT_SECRET"
    for name in (secret, "FULLSCRIPT_US_SND_API_URL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    dotenv.touch(mode=0o644)
    dotenv.chmod(0o644)
    for host, refused in (("127.0.0.1:8766", False), ("api.example", True)):
        dotenv.write_text(f"{secret}=x\nFULLSCRIPT_US_SND_API_URL=http://{host}/us-snd/api\n")
        for name in (secret, "FULLSCRIPT_US_SND_API_URL"):
            monkeypatch.delenv(name, raising=False)
        if refused:
            with pytest.raises(ConfigurationError, match=secret):
                load_settings()
        else:
            assert load_settings().server("us-snd").client_secret == "x"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("which", [".env", "key"])
def test_a_file_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, which: str) -> None:
    path = tmp_path / which
    path.write_text("FULLSCRIPT_SWEEP_DAYS=9\n")
    path.chmod(0o600)
    os.chown(path, 12345, -1)
    if which == "key":
        monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY_FILE", str(path))
    with pytest.raises(ConfigurationError, match=rf"{path} belongs to 12345, .* `chown root {path}`"):
        load_settings()


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


def test_an_app_that_is_not_set_up_names_the_missing_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_US_SND_CLIENT_ID", "id")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_US_SND_CLIENT_SECRET") as caught:
        load_settings().require_app("US_SND")
    assert "CLIENT_ID" not in str(caught.value)


def test_production_needs_an_encryption_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("US", "US_SND"):
        monkeypatch.setenv(f"FULLSCRIPT_{name}_CLIENT_ID", "id")
        monkeypatch.setenv(f"FULLSCRIPT_{name}_CLIENT_SECRET", "secret")
    assert load_settings().require_app("us-snd").name == "us-snd"
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY"):
        load_settings().require_app("us")
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "something long")
    assert load_settings().require_app("us").is_production


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


def test_a_key_file_must_be_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("from the file\n")
    key.chmod(0o600)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY_FILE", str(key))
    assert load_settings().encryption_key == "from the file"
    key.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_settings()
    key.unlink()
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY_FILE"):
        load_settings()


def test_the_data_directory_is_private(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    settings = load_settings()
    settings.prepare_data_dir()
    settings.prepare_data_dir()
    for folder in (settings.data_dir, settings.landing_dir, settings.reports_dir, settings.dagster_home):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_folder_we_run_in_keeps_its_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    load_settings().prepare_data_dir()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "landing").stat().st_mode) == 0o700


def test_a_data_directory_that_cannot_be_made_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "file" / "data"))
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_DATA_DIR"):
        load_settings().prepare_data_dir()


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


@pytest.mark.parametrize(("text", "files_key"), [("", None), ("one", "one"), ("new, old", "old"), (" , ", None)])
def test_the_files_stay_under_the_last_key_of_a_list(
    monkeypatch: pytest.MonkeyPatch, text: str, files_key: str | None
) -> None:
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", text)
    assert load_settings().warehouse_key == files_key


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
    monkeypatch.setenv("FULLSCRIPT_SWEEP_DAYS", "9")
    with hidden_secrets():
        seen = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
    assert "a-secret" not in seen
    assert "FULLSCRIPT_SWEEP_DAYS=9" in seen
    assert os.environ["FULLSCRIPT_US_CLIENT_SECRET"] == "a-secret"


@pytest.mark.parametrize(
    "text",
    ["/srv/files", "file://host/folder", "file:relative", "s3://", "s3://Bucket", "s3://key:secret@bucket/x",
     "s3://bucket/x?region=a", "s3://bucket/a//b", "gs://bucket/x"],
)  # fmt: skip
def test_what_is_no_place_for_files_is_refused_without_repeating_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", text)
    with pytest.raises(ConfigurationError, match=r"^FULLSCRIPT_FILES_URL is no place for files; write it as") as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_files_may_be_in_another_folder_or_in_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load_settings().files_dir, load_settings().bucket_url) == (tmp_path / "data", None)
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", f"file://{tmp_path}/files/")
    assert (load_settings().published_dir, load_settings().bucket_url) == (tmp_path / "files" / "published", None)
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", "s3://bucket/prefix/")
    assert (load_settings().files_dir, load_settings().bucket_url) == (tmp_path / "data", "s3://bucket/prefix")


@pytest.mark.parametrize("runner", ["k8s", "celery+redis://:secret@host/0"])
def test_runs_on_other_machines_are_refused_while_data_are_files_of_this_one(
    runner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings().runner == "local"
    monkeypatch.setenv("FULLSCRIPT_RUNNER", runner)
    with pytest.raises(ConfigurationError, match="the warehouse, landed pages, the state store are files") as caught:
        load_settings()
    assert (caught.value.exit_code, "secret" in str(caught.value)) == (78, False)
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://somebody@host/database")
    with pytest.raises(ConfigurationError, match="the warehouse, landed pages are files"):
        load_settings()


def test_another_word_is_no_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_RUNNER", "cron")
    with pytest.raises(ConfigurationError, match=r"^FULLSCRIPT_RUNNER names no runner; set it to local"):
        load_settings()
