"""The store file: private, migrated, shared; clinics and grants in it."""

import base64
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.api import ClinicRef, Grant
from fullscript_pipeline.errors import Busy, ConfigurationError, UsageError
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.state.clinics import unique_key
from fullscript_pipeline.state.schema import MIGRATIONS, metadata
from fullscript_pipeline.state.sealed_columns import SECRET_FACT
from fullscript_pipeline.state.secret_cipher import Keyring
from fullscript_pipeline.state.sqlite_file import SqliteFile

_MOMENT = datetime(2026, 11, 22, 12, tzinfo=UTC)
_WIDE = ("patients:read", "clinic:read")
_GRANT = Grant(
    user_id="u-1",
    user_type="Staff",
    scopes=("patients:read",),
    obtained_at=_MOMENT,
    expires_at=_MOMENT + timedelta(hours=2),
    access_token="canary-a",
    refresh_token="canary-r",
    previous_refresh_token="canary-p",
)


def _path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "state.sqlite"


@pytest.mark.sqlite_file
def test_file_and_folder_are_private_also_while_writing(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path)) as store:
        store.clinics.register("us-snd", "c-1", "us", "Maple")
        files = list(_path(tmp_path).parent.iterdir())
        assert len(files) == 3  # with -wal and -shm
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(_path(tmp_path).parent.stat().st_mode) == 0o700


@pytest.mark.sqlite_file
def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path)) as store, store.db.read() as connection:
        for table in metadata.tables.values():
            rows = connection.exec_driver_sql(f"PRAGMA table_info({table.name})").all()
            assert {row.name for row in rows} == set(table.columns.keys())
            assert {row.name for row in rows if row.pk} == {column.name for column in table.primary_key}
        assert connection.exec_driver_sql("PRAGMA user_version").scalar() == len(MIGRATIONS)
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.mark.check_all
@pytest.mark.sqlite_file
def test_a_migration_that_dies_after_any_statement_begins_anew(tmp_path: Path) -> None:
    """All statements of an upgrade are one transaction, the version number included."""
    count = sum(map(len, MIGRATIONS))
    for dies_after in range(count + 1):
        path = tmp_path / str(dies_after) / "state.sqlite"
        run = [sys.executable, "-c", _DYING_MIGRATION, str(path), str(dies_after)]
        if dies_after % 5 == 0:  # a real SIGKILL costs a process start: one in five
            assert subprocess.run(run, cwd=Path(__file__).parents[2], check=False).returncode == -9
        with StateStore(path) as store, store.db.read() as connection:
            made = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE type = 'table'").scalar()
        assert made is not None
        assert made >= len(metadata.tables)


_DYING_MIGRATION = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Connection
from fullscript_pipeline.state.sqlite_file import SqliteFile
left, execute = [int(sys.argv[2])], Connection.exec_driver_sql
def dying(self, statement, *more):
    if statement.startswith(("CREATE", "ALTER", "INSERT", "DROP", "PRAGMA user_version =")):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
    return execute(self, statement, *more)
Connection.exec_driver_sql = dying
SqliteFile(Path(sys.argv[1]))
"""


def test_every_row_names_its_server() -> None:
    assert {table.name for table in metadata.tables.values() if "server" not in table.columns} == {
        "facts",
        "audit_chains",
        "audit_log",
        "change_notices",
        "purged_ids",
    }


@pytest.mark.sqlite_file
def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    StateStore(_path(tmp_path)).close()
    with sqlite3.connect(_path(tmp_path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        StateStore(_path(tmp_path))


@pytest.mark.sqlite_file
@pytest.mark.parametrize("content", [b"this is not a database, whatever its name is" * 100])
def test_a_file_that_is_no_store_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    _path(tmp_path).parent.mkdir()
    _path(tmp_path).write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"state\.sqlite cannot be used"):
        StateStore(_path(tmp_path))
    assert _path(tmp_path).read_bytes() == content


@pytest.mark.sqlite_file
def test_a_store_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_DATA_DIR"):
        StateStore(_path(tmp_path))


@pytest.mark.sqlite_file
def test_opening_the_store_again_keeps_this_process_locks_on_it(tmp_path: Path) -> None:
    """POSIX drops a process's locks on a file when it closes any handle of it; another process that ends would then
    take itself for the last one, and delete the write-ahead log that we are still writing to."""
    other = (
        "import sys; from pathlib import Path; from fullscript_pipeline.state import StateStore\n"
        "with StateStore(Path(sys.argv[1])) as store: store.feeds.set_position('us', 'c', 'feed', '1')\n"
    )
    with StateStore(_path(tmp_path)) as first:
        assert first.clinics.all() == []
        StateStore(_path(tmp_path)).close()
        subprocess.run([sys.executable, "-c", other, str(_path(tmp_path))], cwd=Path(__file__).parents[2], check=True)
        assert _path(tmp_path).with_name("state.sqlite-wal").exists()


@pytest.mark.sqlite_file
def test_read_only_makes_and_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no state store"):
        StateStore(_path(tmp_path), read_only=True)
    assert list(tmp_path.iterdir()) == []
    with StateStore(_path(tmp_path)) as store:
        store.clinics.register("us-snd", "c-1", "us", "Maple")
    before = _path(tmp_path).read_bytes()
    with StateStore(_path(tmp_path), read_only=True) as store:
        assert [clinic.clinic_key for clinic in store.clinics.all()] == ["maple"]
        with pytest.raises(ConfigurationError, match="readonly"):
            store.clinics.register("us-snd", "c-2", "us", "Elm")
    with sqlite3.connect(_path(tmp_path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")
    connection.close()
    with pytest.raises(ConfigurationError, match="older version"):
        StateStore(_path(tmp_path), read_only=True)
    assert len(before) == len(_path(tmp_path).read_bytes())


def test_a_writer_that_never_ends_is_busy(tmp_path: Path) -> None:
    StateStore(_path(tmp_path)).close()
    holder, waiter = SqliteFile(_path(tmp_path)), SqliteFile(_path(tmp_path), busy_seconds=0.1)
    with closing(holder), closing(waiter), holder.write(), pytest.raises(Busy) as caught, waiter.write():
        pass
    assert caught.value.exit_code == 75


@pytest.mark.sqlite_file
def test_threads_and_processes_may_start_and_write_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fullscript_pipeline.state import StateStore\n"
        "store = StateStore(Path(sys.argv[1]))\n"
        "[store.feeds.set_position('us-snd', 'c', f'{sys.argv[2]}-{n}', 'x') for n in range(20)]\n"
    )
    run = [sys.executable, "-c", code, str(_path(tmp_path))]
    workers = [subprocess.Popen([*run, str(number)], cwd=Path(__file__).parents[2]) for number in range(3)]
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: StateStore(_path(tmp_path)), range(4)))
        list(pool.map(lambda n: stores[n % 4].feeds.set_position("us-snd", "c", f"own-{n}", "x"), range(40)))
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    with stores[0].db.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM cursors").scalar() == 100
    for store in stores:
        store.close()


def test_clinics_are_found_by_key_and_id(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path)) as store:
        with pytest.raises(UsageError, match="none is connected"):
            store.clinics.find("maple")
        maple = store.clinics.register("us-snd", "c-1", "us", "Maple Street")
        store.clinics.register("ca-snd", "c-2", "ca", "Maple Street")
        assert maple == store.clinics.find("c-1") == store.clinics.find("MAPLE-STREET ")
        assert [clinic.clinic_key for clinic in store.clinics.all()] == ["maple-street", "maple-street-2"]
        assert (maple.status, maple.region, maple.server) == ("ok", "us", "us-snd")
        with pytest.raises(UsageError, match="maple-street, maple-street-2") as caught:
            store.clinics.find("elm")
        assert caught.value.exit_code == 2


def test_an_id_on_two_servers_must_be_named_by_key(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path)) as store:
        store.clinics.register("us-snd", "same", "us", "A")
        store.clinics.register("ca-snd", "same", "ca", "B")
        with pytest.raises(UsageError, match="several servers"):
            store.clinics.find("same")
        assert store.clinics.find("b").server == "ca-snd"


def test_a_clinic_that_returns_has_its_old_key(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path)) as store:
        maple = store.clinics.register("us-snd", "c-1", "us", "Maple")
        store.tokens.save_grant(maple, _GRANT)
        store.clinics.remove(maple)
        assert store.clinics.all() == []
        assert store.tokens.load_grant(maple) is None
        assert [clinic.status for clinic in store.clinics.all(with_removed=True)] == ["removed"]
        other = store.clinics.register("us-snd", "c-2", "us", "Maple")
        again = store.clinics.register("us-snd", "c-1", "us", "Maple renamed")
        assert (other.clinic_key, again.clinic_key, again.name) == ("maple-2", "maple", "Maple renamed")


def test_needs_connect_and_back(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path)) as store:
        maple = store.clinics.register("us-snd", "c-1", "us", "Maple")
        store.clinics.mark_needs_connect(maple, "it was withdrawn")
        assert (store.clinics.find("maple").status, store.clinics.find("maple").status_reason) == (
            "needs_connect",
            "it was withdrawn",
        )
        store.tokens.save_grant(maple, _GRANT)
        assert (store.clinics.find("maple").status, store.clinics.find("maple").status_reason) == ("ok", None)


@given(st.text(max_size=80), st.sets(st.sampled_from(["clinic", "a", "a-2", "maple"])))
def test_a_key_is_a_slug_and_unique(name: str, taken: set[str]) -> None:
    key = unique_key(name, taken)
    assert key not in taken
    assert 1 <= len(key) <= 40
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not key.startswith("-")
    assert not key.endswith("-")


def test_keys_of_real_names() -> None:
    assert unique_key("Clinique Santé d'Été | Montréal", []) == "clinique-sante-dete-montreal"
    assert unique_key("診療所", ["clinic"]) == "clinic-2"
    assert (unique_key("Con", []), unique_key("COM 1", []), unique_key("AUX!", ["aux-clinic"])) == (
        "con-clinic",
        "com-1",
        "aux-clinic-2",
    )


def test_grants_are_loaded_as_saved_and_generations_guard_them(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path), "a key") as store:
        maple = store.clinics.register("us-snd", "c-1", "us", "Maple")
        assert store.tokens.load_grant(maple) is None
        assert store.tokens.save_grant(maple, _GRANT)
        assert store.tokens.load_grant(maple) == replace(_GRANT, generation=1)
        assert store.tokens.save_grant(maple, replace(_GRANT, access_token="second"), expected_generation=1)
        assert not store.tokens.save_grant(maple, replace(_GRANT, access_token="late"), expected_generation=1)
        found = store.tokens.load_grant(maple)
        assert found is not None
        assert (found.access_token, found.generation) == ("second", 2)
        store.tokens.mark_grant_dead(maple, "u-1", 1, "withdrawn")  # of a pair that has been replaced: nothing happens
        assert store.tokens.load_grant(maple) is not None
        store.tokens.mark_grant_dead(maple, "u-1", 2, "withdrawn")
        assert store.tokens.load_grant(maple) is None
        assert [grant.access_token for grant in store.tokens.grants(maple)] == ["second"]


def test_the_last_grant_that_dies_takes_the_clinic_along_at_once(tmp_path: Path) -> None:
    """One transaction: no moment, no crash, at which a clinic without a grant looks healthy."""
    with StateStore(_path(tmp_path)) as store:
        maple = store.clinics.register("us-snd", "c-1", "us", "Maple")
        store.tokens.save_grant(maple, _GRANT)
        store.tokens.save_grant(maple, replace(_GRANT, user_id="u-2"))
        store.tokens.mark_grant_dead(maple, "u-2", 1, "withdrawn")
        assert store.clinics.find("maple").status == "ok"
        store.tokens.mark_grant_dead(maple, "u-1", 9, "of a pair that somebody has replaced")
        assert store.clinics.find("maple").status == "ok"
        store.tokens.mark_grant_dead(maple, "u-1", 1, "withdrawn")
        assert (store.clinics.find("maple").status, store.clinics.find("maple").status_reason) == (
            "needs_connect",
            "withdrawn",
        )
        store.tokens.save_grant(maple, replace(_GRANT, user_id="u-3"))
        assert store.clinics.find("maple").status == "ok"


def test_of_several_users_the_one_who_sees_most_is_used(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path)) as store:
        maple = store.clinics.register("us-snd", "c-1", "us", "Maple")
        store.tokens.save_grant(maple, replace(_GRANT, user_id="few", patients_visible=3))
        store.tokens.save_grant(maple, replace(_GRANT, user_id="many", patients_visible=300))
        store.tokens.save_grant(maple, replace(_GRANT, user_id="wide", scopes=_WIDE, patients_visible=1))
        # Scopes we never use do not count.
        store.tokens.save_grant(maple, replace(_GRANT, user_id="write", scopes=("a:write", "b:write", "c:write")))
        best = store.tokens.load_grant(maple)
        assert best is not None
        assert best.user_id == "wide"
        store.tokens.mark_grant_dead(maple, "wide", 1, "withdrawn")
        best = store.tokens.load_grant(maple)
        assert best is not None
        assert best.user_id == "many"


@pytest.mark.sqlite_file
def test_tokens_are_sealed_with_a_key_and_readable_only_with_it(tmp_path: Path) -> None:
    maple = ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us")
    with StateStore(_path(tmp_path), "old") as store:
        store.clinics.register("us-snd", "c-1", "us", "Maple")
        store.tokens.save_grant(maple, _GRANT)
    for path in _path(tmp_path).parent.iterdir():
        assert b"canary" not in path.read_bytes()
    for key in (None, "wrong", Fernet.generate_key().decode()):
        with StateStore(_path(tmp_path), key) as store:
            with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY") as caught:
                store.tokens.load_grant(maple)
            assert caught.value.exit_code == 78
    with StateStore(_path(tmp_path), "new,old") as store:
        assert store.tokens.load_grant(maple) == replace(_GRANT, generation=1)
        assert store.reseal("new") == 5
    with StateStore(_path(tmp_path), "new") as store:
        assert store.tokens.load_grant(maple) == replace(_GRANT, generation=1)


@given(st.text(max_size=50), st.text(min_size=1, max_size=50).filter(lambda text: text.strip(" ,\t\n\r\x0b\x0c") != ""))
def test_a_key_of_any_text_seals(secret: str, key: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in secret + key):
        return
    place = SECRET_FACT.at("a fact")
    sealed = Keyring(key).seal(secret, place)
    assert Keyring(key).open(sealed, place) == secret
    assert Keyring(f"another,{key}").open(sealed, place) == secret


@pytest.mark.parametrize("is_fernet_key", [True, False])
def test_what_an_earlier_version_sealed_is_opened(is_fernet_key: bool) -> None:
    key = Fernet.generate_key().decode() if is_fernet_key else "any text"
    derived = HKDF(SHA256(), 32, salt=None, info=b"fullscript-pipeline tokens").derive(key.encode())
    fernet = Fernet(key if is_fernet_key else base64.urlsafe_b64encode(derived))
    stored = f"fernet:{fernet.encrypt(b'secret').decode()}"
    assert Keyring(f"another,{key}").open(stored, SECRET_FACT.at("a fact")) == "secret"


@pytest.mark.sqlite_file
def test_an_oauth_state_works_once_and_for_its_server_only(tmp_path: Path) -> None:
    with StateStore(_path(tmp_path)) as store:
        state = store.tokens.new_oauth_state("us-snd")
        assert len(state) >= 40
        assert store.tokens.new_oauth_state("us-snd") != state
        assert store.tokens.use_oauth_state("us-snd", "made up") == "unknown"
        assert store.tokens.use_oauth_state("ca-snd", state) == "unknown"
        with ThreadPoolExecutor(4) as pool:
            verdicts = list(pool.map(lambda _: store.tokens.use_oauth_state("us-snd", state), range(8)))
        assert sorted(verdicts) == ["ok", *["used"] * 7]
        for path in _path(tmp_path).parent.iterdir():
            assert state.encode() not in path.read_bytes()


@pytest.mark.parametrize(("age", "verdict"), [(599, "ok"), (601, "expired"), (-5, "expired")])
def test_an_oauth_state_lives_ten_minutes(tmp_path: Path, age: int, verdict: str) -> None:
    with StateStore(_path(tmp_path)) as store:
        state = store.tokens.new_oauth_state("us-snd")
        with store.db.write() as connection:
            connection.exec_driver_sql(f"UPDATE oauth_states SET created_s = created_s - {age}")
        assert store.tokens.use_oauth_state("us-snd", state) == verdict
