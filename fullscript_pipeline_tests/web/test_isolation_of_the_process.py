"""The portal's process has no encryption key, and opens neither the state store nor the warehouse."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.web import configure, refuse_encryption_key
from fullscript_pipeline.web.configuration import KEY_VARIABLES
from fullscript_pipeline.web.fullscript_links import leads_to
from fullscript_pipeline_tests.helpers.running_portal import WEB_KEY, RunningPortal

ROOMS = ("state", "warehouse", "reports", "extraction", "orchestration")
FORBIDDEN = ("duckdb", "dagster", "pyarrow", *(f"fullscript_pipeline.{room}" for room in ROOMS))
PACKAGE = Path(__file__).parents[2] / "fullscript_pipeline"


def test_the_portal_imports_nothing_that_opens_data() -> None:
    code = f"import sys, fullscript_pipeline.web; print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


def test_only_commands_import_the_portal() -> None:
    naming = {path for path in PACKAGE.rglob("*.py") if "fullscript_pipeline.web " in path.read_text(encoding="utf-8")}
    assert {path.parent.name for path in naming} == {"cli"}
    links = {path for path in PACKAGE.rglob("*.py") if "fullscript_links" in path.read_text(encoding="utf-8")}
    assert {path.parent.name for path in links} == {"web"}


def test_the_running_portal_opens_its_own_store_only(portal: RunningPortal, tmp_path: Path) -> None:
    """As a user starts it, in a process of its own."""
    command = [sys.executable, "-m", "fullscript_pipeline", "web", "serve", "--port", "0"]
    environment = {**os.environ, "FULLSCRIPT_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path) as process:
        try:
            address = process.stdout.readline().strip() if process.stdout else ""
            assert httpx.get(f"{address}/healthz", trust_env=False).status_code == 200
            opened = {Path(file.path).name for file in psutil.Process(process.pid).open_files()}
        finally:
            process.terminate()
            assert process.wait(15) == 0
    own = {f"{name}.sqlite{suffix}" for name in ("portal", "portal-requests") for suffix in ("", "-wal", "-shm")}
    assert opened <= own
    assert {path.name for path in tmp_path.iterdir()} <= own
    assert (tmp_path / "portal.sqlite").stat().st_mode & 0o077 == 0


def test_it_does_not_start_with_the_encryption_key(portal: RunningPortal, tmp_path: Path) -> None:
    for name in KEY_VARIABLES:
        with pytest.raises(ConfigurationError, match=name):
            refuse_encryption_key({name: "x"})
    marker, name = tmp_path / "was-run", "FULLSCRIPT_ENCRYPTION_KEY_COMMAND"
    command = [sys.executable, "-m", "fullscript_pipeline", "web", "serve", "--port", "0"]
    environment = {**os.environ, name: f"touch {marker}", "FULLSCRIPT_DATA_DIR": str(tmp_path)}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert finished.returncode == 78
    assert name in finished.stderr
    assert not marker.exists(), "the program that prints the key is not run"


def test_what_is_missing_is_named(portal: RunningPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_WEB_KEY", "")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_WEB_KEY is not set"):
        configure(load_settings())
    monkeypatch.setenv("FULLSCRIPT_WEB_KEY", WEB_KEY)
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEB_CLIENT_SECRET", "")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_US_SND_WEB_CLIENT_SECRET is not set"):
        configure(load_settings())
    monkeypatch.setenv("FULLSCRIPT_US_SND_WEB_CLIENT_SECRET", "x")
    monkeypatch.setenv("FULLSCRIPT_US_WEB_CLIENT_ID", "x")
    monkeypatch.setenv("FULLSCRIPT_US_WEB_CLIENT_SECRET", "x")
    with pytest.raises(ConfigurationError, match="holds either sandbox"):
        configure(load_settings())
    monkeypatch.setenv("FULLSCRIPT_WEB_URL", "http://portal.example")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_WEB_URL must start with https"):
        load_settings()


@pytest.mark.parametrize(
    ("link", "is_allowed"),
    [
        ("https://us.fullscript.com/plans/1", True),
        ("https://api-us-snd.fullscript.io/x", True),
        ("http://us.fullscript.com/plans/1", False),
        ("https://fullscript.com.evil.example/", False),
        ("https://evilfullscript.com/", False),
        ("https://user@us.fullscript.com/", False),
        ("https://us.fullscript.com:8443/", False),
        ("//us.fullscript.com/", False),
        ("javascript:alert(1)", False),
        ("https://us.fullscript.com/\r\nSet-Cookie: a=b", False),
        ("http://127.0.0.1:1/", False),
    ],
)
def test_links_lead_to_hosts_of_that_server_only(monkeypatch: pytest.MonkeyPatch, link: str, is_allowed: bool) -> None:
    for suffix in ("API_URL", "AUTHORIZE_URL"):
        monkeypatch.delenv(f"FULLSCRIPT_US_{suffix}", raising=False)
    assert leads_to(load_settings().server("us"), link) == is_allowed
