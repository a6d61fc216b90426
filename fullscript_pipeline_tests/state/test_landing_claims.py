"""One process at a time fills a landing file; a claim ends with its process, or with the server that kept it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.state.landing_claims import LandingClaims
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.wait_until import wait

PULL = "us-snd/maple/2026-11-22/orders.120000-1a2b3c4d"
ROOT = Path(__file__).parents[2]
# Claims the pull, says so, and waits to be killed.
_ANOTHER = """
import sys
from fullscript_pipeline.state import StateStore
store = StateStore(sys.argv[1] if "://" in sys.argv[1] else __import__("pathlib").Path(sys.argv[1]))
print(store.landing_claims.take(sys.argv[2]) is not None, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def address(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """The same store for other processes, which know nothing of the tests' way to open one."""
    if backend == "sqlite":
        return tmp_path / "state.sqlite"
    postgres: PostgresServer = request.getfixturevalue("postgres")
    return postgres.url_of(str(tmp_path / "state.sqlite"))


@pytest.fixture
def claims(tmp_path: Path) -> Iterator[LandingClaims]:
    with StateStore(tmp_path / "state.sqlite") as store:
        yield store.landing_claims


def test_a_claim_ends_with_its_process(claims: LandingClaims, address: Path | str) -> None:
    command = [sys.executable, "-c", _ANOTHER, str(address), PULL]
    other = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    assert claims.take(PULL) is None
    elsewhere = claims.take(f"{PULL}0")
    assert elsewhere is not None, "of another pull"
    other.kill()
    other.communicate()
    assert wait(lambda: claims.take(PULL) is not None, 20)
    for claim in (elsewhere, claims.take(PULL)):
        assert claim is not None
        claim.release()


def test_a_step_that_failed_in_this_process_takes_its_claim_again(claims: LandingClaims) -> None:
    first = claims.take(PULL)
    assert first is not None
    assert claims.take(PULL) is first
    first.require_held()
    first.release()
    again = claims.take(PULL)
    assert again is not None
    assert again is not first
    again.release()


def test_a_claim_that_the_server_has_forgotten_is_told(
    claims: LandingClaims, backend: str, request: pytest.FixtureRequest
) -> None:
    if backend == "sqlite":
        pytest.skip("about the server")
    postgres: PostgresServer = request.getfixturevalue("postgres")
    claim = claims.take(PULL)
    assert claim is not None
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    with pytest.raises(ServiceUnavailable, match="another machine may have resumed this pull"):
        claim.require_held()
    taken = claims.take(PULL)
    assert taken is not None
    assert taken is not claim, "as another machine would"
    claim.release()
    taken.require_held()
    taken.release()


def test_a_fresh_store_and_fresh_files_are_under_the_same_key_of_a_list(
    address: Path | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a new installation that is given a list, or a passphrase with a comma, could land nothing."""
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "newer key 0123456789,older key 0123456789")
    settings = load_settings()
    with StateStore(address, settings.encryption_key) as store:
        store.events.forget_old()  # a write, the first one, records the key
        store.landing_claims.require_key(settings.warehouse_key)
        with pytest.raises(ConfigurationError, match="keys rotate"):
            store.landing_claims.require_key("newer key 0123456789")
