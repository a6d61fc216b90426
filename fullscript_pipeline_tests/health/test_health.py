"""Every check on a healthy and on a broken set-up: what it says, its fix, the exit code, and that it only looks."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, open_session
from fullscript_pipeline.api.errors import AppRefused
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.health import Finding, check_all, exit_code
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Delivery, StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.helpers.connected_clinic import connect, environment, free_redirect_uri, settings_for
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox, running_sandbox
from fullscript_pipeline_tests.helpers.stub_server import Reply, odd_server

KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
Ready = tuple[RunningSandbox, Settings, ClinicRef]


@pytest.fixture
def ready(tmp_path: Path) -> Iterator[Ready]:
    """A connected clinic whose warehouse says that it was pulled a moment ago; nothing is open."""
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri()) as sandbox,
        settings_for(sandbox, tmp_path / "data", FULLSCRIPT_ENCRYPTION_KEY=KEY) as settings,
    ):
        with StateStore(settings.state_path, settings.encryption_key) as store:
            clinic = connect(settings, store, sandbox, next(iter(sandbox.clinics)))
        _pulled(settings, clinic.clinic_id, timedelta())
        yield sandbox, settings, clinic


def _pulled(settings: Settings, clinic_id: str, ago: timedelta) -> None:
    with Warehouse(settings.warehouse_path, settings.warehouse_key).maintain() as con:
        con.execute("CREATE SCHEMA IF NOT EXISTS ops")
        con.execute(
            "CREATE OR REPLACE TABLE ops.pulls AS "
            "SELECT ? AS clinic_id, 'us' AS region, ?::TIMESTAMPTZ AS observed_at, "
            "observed_at AS finished_at, "
            "unnest(['patients', 'treatment_plans', 'orders', 'products']) AS resource, 'loaded' AS outcome",
            [clinic_id, clock.now() - ago],
        )
        # What was read since says nothing of what was not.
        con.execute(
            "INSERT INTO ops.pulls VALUES ($1, 'us', $2, $2, 'clinic_brands', 'loaded')", [clinic_id, clock.now()]
        )


def _found(settings: Settings) -> dict[str, Finding]:
    return {finding.id: finding for finding in check_all(settings)}


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file but SQLite's own shared memory, the lock note and the sandbox's."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-shm", "-wal", ".holder"))
    }


def test_a_healthy_set_up_passes_and_is_not_touched(ready: Ready) -> None:
    sandbox, settings, clinic = ready
    before = _contents(settings.data_dir)
    sandbox.control.reset_requests()
    found = _found(settings)
    assert {one.id: one.what for one in found.values() if one.state != "pass"} == {}
    assert exit_code(list(found.values())) == 0
    key = clinic.clinic_key
    assert {f"clinic.{key}.{what}" for what in ("token", "scopes", "pulled")} <= set(found)
    assert {f"server.us-snd.{what}" for what in ("clock", "budget")} <= set(found)
    assert _contents(settings.data_dir) == before
    assert sandbox.control.requests()["total"] == 2  # one for the clock of each server, no token call
    assert not (set(os.environ) & {"DAGSTER_HOME"})


def test_nothing_set_up_is_told_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    found = _found(load_settings())
    assert {one.id for one in found.values() if one.state == "fail"} >= {"settings.apps"}
    assert {found[one].state for one in ("settings.key", "files.modes", "state.store", "warehouse.lock")} == {"skip"}
    assert exit_code(list(found.values())) == 78
    assert list(tmp_path.iterdir()) == []


def test_a_misspelled_setting_is_named_with_the_one_that_was_meant(
    ready: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, settings, _ = ready
    monkeypatch.setenv("FULLSCRIPT_TIMEZONE", "America/Toronto")
    monkeypatch.setenv("FULLSCRIPT_US_SND_CLIENT_SECRETT", "a-secret-value")
    monkeypatch.setenv("FULLSCRIPT_MOOD", "a-secret-value")
    finding = _found(settings)["settings.unknown"]
    assert finding.state == "warn"
    assert "FULLSCRIPT_TIMEZONE (did you mean FULLSCRIPT_TIME_ZONE?)" in finding.what
    assert "FULLSCRIPT_US_SND_CLIENT_SECRETT (did you mean FULLSCRIPT_US_SND_CLIENT_SECRET?)" in finding.what
    assert "FULLSCRIPT_MOOD, " in finding.what
    assert "a-secret-value" not in str(finding)


def _half_an_app(settings: Settings) -> Settings:
    return _with_server(settings, "us-snd", client_secret=None)


def _production_without_key(settings: Settings) -> Settings:
    production = _with_server(settings, "us", client_id="id", client_secret="secret", api_url="http://127.0.0.1:9/api")
    return production.model_copy(update={"encryption_key": None})


def _weak_key(settings: Settings) -> Settings:
    return settings.model_copy(update={"encryption_key": f"password1234,{KEY}"})


def _other_key(settings: Settings) -> Settings:
    return settings.model_copy(update={"encryption_key": KEY[::-1]})


def _nobody_there(settings: Settings) -> Settings:
    return _with_server(settings, "us-snd", api_url="http://127.0.0.1:9/api")


def _open_folder(settings: Settings) -> Settings:
    settings.landing_dir.chmod(0o755)
    return settings


def _never_pulled(settings: Settings) -> Settings:
    _pulled(settings, "somebody else", timedelta())
    return settings


def _late(settings: Settings) -> Settings:
    with StateStore(settings.state_path, settings.encryption_key) as store:
        _pulled(settings, store.clinics.all()[0].clinic_id, timedelta(days=3))
    return settings


def _with_server(settings: Settings, name: str, **changes: Any) -> Settings:
    changed = replace(settings.server(name), **changes)
    return settings.model_copy(update={"servers": {**settings.servers, name: changed}})


@pytest.mark.parametrize(
    ("break_it", "check", "code", "words"),
    [
        (_half_an_app, "settings.us-snd.app", 78, "CLIENT_SECRET is not set"),
        (_production_without_key, "settings.us.app", 78, "real patients"),
        (_weak_key, "settings.key", 78, "key 1 of 2 can be guessed"),
        (_other_key, "clinic.maple-street.token", 78, "another key"),
        (_other_key, "warehouse.pulls", 78, "cannot be opened with FULLSCRIPT_ENCRYPTION_KEY"),
        (_nobody_there, "server.us-snd.clock", 1, "refused"),
        (_open_folder, "files.modes", 1, "landing"),
        (_never_pulled, "clinic.maple-street.pulled", 1, "never pulled"),
        (_late, "clinic.maple-street.pulled", 1, "3 days ago"),
        (_late, "catalog.us.pulled", 1, "3 days ago"),
    ],
)
def test_what_is_broken_fails_with_its_fix(ready: Ready, break_it: Any, check: str, code: int, words: str) -> None:
    found = _found(break_it(ready[1]))
    one = found[check.replace("maple-street", ready[2].clinic_key)]
    assert (one.state, one.exit_code) == ("fail", code), one
    assert words in one.what
    # An error of ours says in its own sentence what to do.
    assert one.fix or re.search(r"[sS]et the (former )?key", one.what), one
    assert exit_code(list(found.values())) == code


def test_what_waits_for_a_person_is_told_and_changes_no_exit_code(ready: Ready) -> None:
    settings = ready[1]
    with Warehouse(settings.warehouse_path, settings.warehouse_key).maintain() as con:
        con.execute("CREATE TABLE ops.quarantine AS SELECT 'orders' AS table_name, NULL::TIMESTAMPTZ AS resolved_at")
        con.execute("CREATE TABLE ops.drift AS SELECT 'patients' AS object")
        con.execute(
            "CREATE TABLE ops.held_removals AS "
            "SELECT 'patients' AS table_name, TIMESTAMPTZ '2026-11-21' AS missing_since"
        )
        con.execute("CREATE SCHEMA marts")
        con.execute(
            """CREATE TABLE marts.catalog_digests AS SELECT * FROM (VALUES
            ('us', DATE '2026-11-21', NULL, NULL), ('us', DATE '2026-11-22', 'too many', NULL),
            ('ca', DATE '2026-11-21', 'a fault', NULL), ('ca', DATE '2026-11-22', NULL, NULL)
            ) AS t(region, day, held, released_at)"""
        )
    with StateStore(settings.state_path, settings.encryption_key) as store:
        store.inbox.keep_delivery(Delivery("us-snd", "event-1", event_type="order.placed", body=b"{}", state="failed"))
    # As an earlier version made it, under the pipeline's key.
    shutil.copy(settings.warehouse_path, settings.published_dir / "fullscript-deidentified.duckdb")
    found = _found(settings)
    waiting = {one.id for one in found.values() if one.state == "warn"}
    told = ("quarantine", "drift", "held", "digests")
    assert waiting == {*(f"warehouse.{one}" for one in told), "webhooks.inbox", "copies.deidentified"}
    assert "orders 1" in found["warehouse.quarantine"].what
    assert "quarantine list" in str(found["warehouse.quarantine"].fix)
    assert "patients 1 since 2026-11-21" in found["warehouse.held"].what
    assert found["warehouse.digests"].what.endswith(": us 2026-11-22"), "what a later digest has replaced waits no more"
    assert "1 delivery could not be handled" in found["webhooks.inbox"].what
    assert exit_code(list(found.values())) == 0


def test_a_warehouse_whose_state_store_is_lost_is_not_healthy(ready: Ready) -> None:
    settings = ready[1]
    settings.state_path.unlink()
    found = _found(settings)
    assert (found["clinics.connected"].state, exit_code(list(found.values()))) == ("fail", 77)
    assert "restore" in str(found["clinics.connected"].fix)


def test_a_state_store_whose_index_and_table_differ_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    settings = load_settings()
    settings.prepare_data_dir()
    with StateStore(settings.state_path) as store:
        store.clinics.register("us-snd", "clinic-needle", "us", "Maple")
        store.wipe_deleted()
    content = settings.state_path.read_bytes()
    assert content.count(b"clinic-needle") == 2, "once in the table, once in its index"

    def told() -> Finding:
        return next(one for one in check_all(settings) if one.id == "state.store")

    assert told().state == "pass"
    settings.state_path.write_bytes(content.replace(b"clinic-needle", b"clinic-noodle", 1))
    assert (told().state, "damaged" in told().what, "restore" in str(told().fix)) == ("fail", True, True)


def test_after_a_disconnect_of_all_nothing_is_lost_and_no_run_waits(ready: Ready) -> None:
    settings = ready[1]
    with StateStore(settings.state_path, settings.encryption_key) as store:
        store.clinics.remove(ready[2])
    found = _found(settings)["clinics.connected"]
    assert (found.state, found.exit_code, found.what) == ("fail", 77, "every clinic was disconnected")


def test_a_server_that_names_no_scopes_withholds_none(ready: Ready) -> None:
    settings, clinic = ready[1], ready[2]
    with StateStore(settings.state_path, settings.encryption_key) as store:
        grant = store.tokens.load_grant(clinic)
        assert grant is not None
        store.tokens.save_grant(clinic, replace(grant, scopes=()))
    found = _found(settings)[f"clinic.{clinic.clinic_key}.scopes"]
    assert (found.state, "does not report the token's scopes" in found.what) == ("pass", True)


def test_a_read_only_disk_is_told_as_one(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounting one takes rights that a test has not; what the system would say is put into its place."""
    read_only = os.statvfs_result((4096, 4096, 1, 1, 1, 1, 1, 1, os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "statvfs", lambda _: read_only)
    found = _found(ready[1])["files.writable"]
    assert "mounted read-only" in found.what
    assert "Mount it writable" in str(found.fix)


def test_a_clinic_that_needs_a_connect_is_77(ready: Ready) -> None:
    sandbox, settings, clinic = ready
    sandbox.control.revoke(next(iter(sandbox.clinics)))
    with (
        StateStore(settings.state_path, settings.encryption_key) as store,
        open_session(settings, store, clinic) as session,
        pytest.raises(NeedsConnect),
    ):
        session.fetch_object("clinic")
    _late(settings)
    found = _found(settings)
    token = found[f"clinic.{clinic.clinic_key}.token"]
    assert (token.state, token.exit_code) == ("fail", 77)
    assert "connect us-snd" in str(token.fix)
    assert found[f"clinic.{clinic.clinic_key}.scopes"].state == "skip"
    assert exit_code(list(found.values())) == 77  # before the 1 of the late pull


def test_an_app_that_the_server_does_not_accept_is_a_setting_and_is_tried_again_at_once(ready: Ready) -> None:
    sandbox, settings, clinic = ready
    sandbox.control.arm("unauthorized", endpoint="/oauth/token", count=None)
    sandbox.control.arm("unauthorized", endpoint="/clinic", count=1)
    with (
        StateStore(settings.state_path, settings.encryption_key) as store,
        open_session(settings, store, clinic) as session,
    ):
        with pytest.raises(AppRefused):
            session.fetch_object("clinic")
        found = _found(settings)[f"clinic.{clinic.clinic_key}.token"]
        assert (found.state, found.exit_code) == ("fail", 78)
        assert "FULLSCRIPT_US_SND_CLIENT_SECRET" in str(found.fix)
        sandbox.control.disarm()
        sandbox.control.arm("unauthorized", endpoint="/clinic", count=1)
        session.fetch_object("clinic")
    assert _found(settings)[found.id].state == "pass"


def test_a_missing_scope_says_what_it_costs(tmp_path: Path) -> None:
    scopes = "catalog:read clinic:read clinic:write patients:read patients:treatment_plan_history"
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri(), scopes=scopes) as sandbox,
        settings_for(sandbox, tmp_path / "data") as settings,
    ):
        with StateStore(settings.state_path) as store:
            clinic = connect(settings, store, sandbox, next(iter(sandbox.clinics)))
        found = _found(settings)
    one = found[f"clinic.{clinic.clinic_key}.scopes"]
    assert one.state == "fail"
    assert "no patients:order_history: orders, labs and adherence stay empty" in one.what
    assert found["files.volume"].state == "skip"  # only a sandbox's data, in plain files


@pytest.mark.parametrize(
    ("date", "words"), [("Mon, 01 Jan 2024 00:00:00 GMT", "behind ours"), ("nonsense", "has no Date")]
)
def test_a_clock_that_is_off_and_an_answer_without_a_date(ready: Ready, date: str, words: str) -> None:
    with odd_server([Reply(401, headers={"Date": date})]) as server:
        one = _found(_with_server(ready[1], "us-snd", api_url=server.url))["server.us-snd.clock"]
    assert one.state == "fail"
    assert words in one.what
    assert "authorization" not in server.requests[0].headers


_HOLDER = """
import sys
from pathlib import Path
from fullscript_pipeline.warehouse.connection import Warehouse
with Warehouse(Path(sys.argv[1]), sys.argv[2]).read():
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_whoever_holds_the_warehouse_is_named_and_left_alone(ready: Ready) -> None:
    settings = ready[1]
    run = [sys.executable, "-c", _HOLDER, str(settings.warehouse_path), KEY]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        found = _found(settings)
        note = settings.warehouse_path.with_name("fullscript.duckdb.holder")
        os.utime(note, (0, note.stat().st_mtime - 7200))
        later = _found(settings)
        holder.communicate("done\n", timeout=20)
    assert found["warehouse.lock"].state == "pass"
    assert f"process {holder.pid}" in found["warehouse.lock"].what
    assert found["warehouse.pulls"].state == "skip"
    assert later["warehouse.lock"].state == "fail"
    assert _found(settings)["warehouse.lock"].what == "free"


_NOTEBOOK = """
import sys, duckdb
duckdb.execute(f"ATTACH '{sys.argv[1]}' AS w (ENCRYPTION_KEY '{sys.argv[2]}', READ_ONLY)")
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_notebook_that_was_left_open_is_named(ready: Ready) -> None:
    """It takes no lock of ours; reading would succeed beside it, and every run would wait for it."""
    settings = ready[1]
    run = [sys.executable, "-c", _NOTEBOOK, str(settings.warehouse_path), KEY]
    with subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as notebook:
        assert notebook.stdout is not None
        assert notebook.stdout.readline().strip() == "held"
        found = _found(settings)
        notebook.communicate("done\n", timeout=20)
    assert found["warehouse.lock"].state == "fail"
    assert f"process {notebook.pid}" in found["warehouse.lock"].what
    assert found["warehouse.pulls"].state == "skip"
    assert _found(settings)["warehouse.lock"].what == "free"


def _command(sandbox: RunningSandbox, settings: Settings, *arguments: str, **more: str) -> Any:
    variables = {**os.environ, **environment(sandbox, settings.data_dir), "FULLSCRIPT_ENCRYPTION_KEY": KEY, **more}
    run = [sys.executable, "-m", "fullscript_pipeline", *arguments]
    return subprocess.run(run, env=variables, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_prints_a_line_a_check(ready: Ready) -> None:
    sandbox, settings, clinic = ready
    answered = _command(sandbox, settings, "doctor", "--json")
    lines = [json.loads(line) for line in answered.stdout.splitlines()]
    assert answered.returncode == 0
    assert {line["state"] for line in lines} == {"pass"}
    assert {"id", "state", "what", "fix"} <= set(lines[0])
    assert f"{len(lines)} passed, 0 warnings, 0 failed, 0 skipped" in answered.stderr
    settings.landing_dir.chmod(0o750)
    answered = _command(sandbox, settings, "doctor")
    assert answered.returncode == 1
    assert "fail  files.modes" in answered.stdout
    assert "fix: chmod" in answered.stdout
    answered = _command(sandbox, settings, "doctor", "--json", FULLSCRIPT_TIME_ZONE="Mars/North")
    assert answered.returncode == 78
    assert json.loads(answered.stdout)["id"] == "settings.read"
    with StateStore(settings.state_path, settings.encryption_key) as store:
        grant = store.tokens.load_grant(clinic)
    assert grant is not None
    assert grant.access_token not in answered.stdout + answered.stderr


def test_keys_rotate_puts_everything_under_the_new_key_alone(ready: Ready) -> None:
    sandbox, settings, clinic = ready
    new = "v5Zk8-another_long_random_text-7Yq2Xc9Wm"
    answered = _command(sandbox, settings, "keys", "rotate", FULLSCRIPT_ENCRYPTION_KEY=f"{new},{KEY}")
    assert answered.returncode == 0, answered.stderr
    assert "To re-encrypt with the first of 2 keys: 4 values of the state store, 0 landing files" in answered.stderr
    plan = r"1 database .* [\d.]+ MB in total\.\nThis takes about \d+ seconds? and .* of disk space; .* are free\."
    assert re.search(plan, answered.stderr)
    assert "Set FULLSCRIPT_ENCRYPTION_KEY to the new key only" in answered.stderr
    assert not {new, KEY} & set(re.findall(r"[\w=-]{20,}", answered.stderr))
    with StateStore(settings.state_path, new) as store:
        assert store.tokens.load_grant(clinic) is not None
    listed = settings.model_copy(update={"encryption_key": f"{new},{KEY}"})
    assert {one.id for one in check_all(listed) if one.state != "pass"} == set()
    assert {
        one.id for one in check_all(settings.model_copy(update={"encryption_key": new})) if one.state != "pass"
    } == set()
    former = {one.id: one for one in check_all(settings)}
    assert "start it again" in former["settings.key"].what
    assert former["warehouse.pulls"].exit_code == 78
    answered = _command(sandbox, settings, "keys", "rotate", FULLSCRIPT_ENCRYPTION_KEY="neither-of-the-two-keys-41")
    assert answered.returncode == 78
    assert "another key" in answered.stderr
