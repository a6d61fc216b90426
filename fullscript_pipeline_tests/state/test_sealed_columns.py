"""What is sealed in the store opens in its own place only, under the store's key, and nothing sealed is forgotten."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from cryptography.fernet import Fernet

from fullscript_pipeline import state
from fullscript_pipeline.api import ClinicRef, Grant
from fullscript_pipeline.errors import ConfigurationError, PipelineError
from fullscript_pipeline.state import Delivery, Snooze, StateStore
from fullscript_pipeline.state.schema import clinics, metadata
from fullscript_pipeline.state.sealed_columns import SEALED_COLUMNS, SealedColumn
from fullscript_pipeline.state.secret_cipher import Keyring

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
MAPLE, OAK = (
    ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us"),
    ClinicRef(server="us-snd", clinic_id="c-2", clinic_key="oak", region="us"),
)
UNTIL = date(2026, 12, 15)
_OF_BEFORE = Fernet(OLD).encrypt(b"x").decode()
_FACTS_KEY = "DELETE FROM facts WHERE name = 'encryption_key'"


def _grant(token: str) -> Grant:
    now = datetime.fromisoformat("2026-11-22T00:00:00+00:00")
    return Grant(
        user_id="u-1",
        user_type="Practitioner",
        scopes=("clinic:read",),
        obtained_at=now,
        expires_at=now + timedelta(hours=2),
        access_token=token,
        refresh_token=f"r-{token}",
        previous_refresh_token=f"p-{token}",
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store under OLD that holds a value of every kind that is sealed, twice."""
    with StateStore(tmp_path / "state.sqlite", OLD) as store:
        for clinic in (MAPLE, OAK):
            store.clinics.register("us-snd", clinic.clinic_id, "us", clinic.clinic_key)
            store.tokens.save_grant(clinic, _grant(clinic.clinic_key))
            store.inbox.keep_delivery(
                Delivery(server="us-snd", event_id=clinic.clinic_key, body=clinic.clinic_key.encode())
            )
            store.snoozes.add(
                clinic,
                Snooze(patient_id="p-1", until=UNTIL, note=f"{clinic.clinic_key} is away"),
                UNTIL - timedelta(days=1),
            )
        store.inbox.webhook_path()
    return tmp_path / "state.sqlite"


@contextmanager
def _sql(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def _read_all(store: StateStore) -> list[object]:
    snoozes = [store.snoozes.current(clinic, UNTIL - timedelta(days=1)) for clinic in (MAPLE, OAK)]
    return [
        store.tokens.load_grant(MAPLE),
        store.tokens.load_grant(OAK),
        store.inbox.deliveries(),
        store.inbox.webhook_path(),
        snoozes,
    ]


_MOVES = {
    "a token of another clinic": "UPDATE grants SET access_token = (SELECT max(access_token) FROM grants)",
    "another token of the same user": "UPDATE grants SET access_token = refresh_token",
    "a token as the one before": "UPDATE grants SET previous_refresh_token = refresh_token",
    "a row of another user": "UPDATE grants SET user_id = 'u-2'",
    "a delivery of another event": "UPDATE webhook_inbox SET body = (SELECT max(body) FROM webhook_inbox)",
    "a token as a body": "UPDATE webhook_inbox SET body = (SELECT CAST(access_token AS BLOB) FROM grants)",
    "a token as the path": "UPDATE facts SET value = (SELECT access_token FROM grants) WHERE name = 'webhook_path'",
    "a plain token": "UPDATE grants SET access_token = 'plain:mine'",
    "a plain body": "UPDATE webhook_inbox SET body = CAST('plain:{}' AS BLOB)",
    "a token without a mark": "UPDATE grants SET access_token = 'mine'",
    "a note of another clinic": "UPDATE snoozes SET note = (SELECT max(note) FROM snoozes)",
    "a note about another patient": "UPDATE snoozes SET patient_id = 'p-2'",
    "a plain note": "UPDATE snoozes SET note = 'plain:mine'",
    "a piece of a token": "UPDATE grants SET access_token = substr(access_token, 1, 30)",
    "a token of before, bound to nothing": f"UPDATE grants SET access_token = 'fernet:{_OF_BEFORE}'",
}


@pytest.mark.sqlite_file
@pytest.mark.parametrize("move", _MOVES)
def test_a_value_in_anothers_place_is_refused(path: Path, move: str) -> None:
    with _sql(path) as connection:
        connection.execute(_MOVES[move])
    with StateStore(path, OLD) as store, pytest.raises(ConfigurationError, match="not what was sealed") as caught:
        _read_all(store)
    assert caught.value.exit_code == 78
    assert "maple" not in str(caught.value)


def test_every_sealed_value_follows_the_key_and_the_old_one_opens_nothing(path: Path) -> None:
    with StateStore(path, f"{NEW},{OLD}") as store:
        before = _read_all(store)
        assert store.count_to_reseal(NEW) == 13
        assert store.reseal(NEW) == 13
        assert (store.reseal(NEW), store.count_to_reseal(NEW)) == (0, 0)
    with StateStore(path, NEW) as store:
        assert _read_all(store) == before
        store.tokens.save_grant(MAPLE, _grant("renewed"))
    with StateStore(path, OLD) as store:
        for read in (lambda: store.tokens.load_grant(MAPLE), store.inbox.deliveries, store.inbox.webhook_path):
            with pytest.raises(ConfigurationError, match="another key"):
                read()


@pytest.mark.sqlite_file
def test_what_was_under_the_old_key_is_nowhere_in_the_file(path: Path) -> None:
    with _sql(path) as connection:
        old = [row[0] for row in connection.execute("SELECT access_token FROM grants")]
    with StateStore(path, f"{NEW},{OLD}") as store:
        store.reseal(NEW)
        store.wipe_deleted()
    files = b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())
    assert not any(value[20:].encode() in files for value in old)


@pytest.mark.sqlite_file
def test_a_store_of_before_opens_and_is_bound_by_its_rotation(path: Path) -> None:
    fernet = Fernet(OLD)
    with _sql(path) as connection:
        connection.execute(_FACTS_KEY)
        for token in ("access_token", "refresh_token"):
            connection.execute(f"UPDATE grants SET {token} = ?", (f"fernet:{fernet.encrypt(b'old').decode()}",))
        connection.execute("UPDATE webhook_inbox SET body = ?", (b"plain:{}",))
    with StateStore(path, OLD) as store:
        grant = store.tokens.load_grant(MAPLE)
        assert grant is not None
        assert grant.access_token == "old"
        assert store.inbox.deliveries()[0].body == b"{}"
        assert store.reseal(OLD) == 6  # the same key, bound
        assert store.tokens.load_grant(MAPLE) == grant
    with _sql(path) as connection:
        connection.execute(_MOVES["a plain token"])
    with StateStore(path, OLD) as store, pytest.raises(ConfigurationError, match="not what was sealed"):
        store.tokens.load_grant(MAPLE)


def test_a_process_of_before_the_rotation_writes_nothing_more(path: Path) -> None:
    delivery = Delivery(server="us-snd", event_id="later", body=b"{}")
    with StateStore(path, OLD) as stale, StateStore(path, f"{NEW},{OLD}") as both, StateStore(path, None) as keyless:
        with StateStore(path, f"{NEW},{OLD}") as store:
            store.reseal(NEW)
        for one in (stale, keyless):
            with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY"):
                one.inbox.keep_delivery(delivery)
        assert both.inbox.keep_delivery(delivery)
    with StateStore(path, NEW) as store:
        assert store.inbox.deliveries()[-1].event_id == "later"


def test_every_sealed_column_is_in_the_list() -> None:
    modules = [import_module(f"{state.__name__}.{one.name}") for one in iter_modules(state.__path__)]
    declared = {one for module in modules for one in vars(module).values() if isinstance(one, SealedColumn)}
    assert declared == set(SEALED_COLUMNS)
    assert all(metadata.tables[one.table.name] is one.table for one in SEALED_COLUMNS)
    with pytest.raises(ValueError, match=r"clinics\.name"):
        Keyring(OLD).seal("x", SealedColumn(table=clinics, of="name", key=("server",)).at("us"))


@pytest.mark.sqlite_file
def test_a_sealed_value_in_a_column_that_is_not_listed_stops_the_rotation(path: Path) -> None:
    """A column of a later version, or one that somebody forgot to list: it would stay under the former key."""
    with _sql(path) as connection:
        connection.execute("UPDATE clinics SET name = (SELECT access_token FROM grants)")
    with StateStore(path, f"{NEW},{OLD}") as store:
        with pytest.raises(PipelineError, match=r"clinics\.name"):
            store.reseal(NEW)
        assert store.count_to_reseal(NEW) == 13
        assert store.tokens.load_grant(MAPLE) == replace(_grant("maple"), generation=1)


def test_a_value_that_no_key_opens_stops_the_rotation_before_it_begins(path: Path) -> None:
    with StateStore(path, f"{NEW},another") as store:
        for begin in (store.reseal, store.count_to_reseal):
            with pytest.raises(ConfigurationError, match="another key"):
                begin(NEW)
    with StateStore(path, OLD) as store:
        assert store.tokens.load_grant(MAPLE) == replace(_grant("maple"), generation=1)
