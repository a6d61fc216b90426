"""Every check on a healthy and on a broken set-up: what it says, its fix, the exit code, and that it only looks."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.health import Finding, check_all, exit_code
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Delivery, StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.helpers.connected_clinic import environment
from fullscript_pipeline_tests.helpers.healthy_setup import (
    KEY,
    Ready,
    findings_by_id,
    record_pull,
    with_late_pull,
    with_server,
)
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox


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
    found = findings_by_id(settings)
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
    found = findings_by_id(load_settings())
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
    finding = findings_by_id(settings)["settings.unknown"]
    assert finding.state == "warn"
    assert "FULLSCRIPT_TIMEZONE (did you mean FULLSCRIPT_TIME_ZONE?)" in finding.what
    assert "FULLSCRIPT_US_SND_CLIENT_SECRETT (did you mean FULLSCRIPT_US_SND_CLIENT_SECRET?)" in finding.what
    assert "FULLSCRIPT_MOOD, " in finding.what
    assert "a-secret-value" not in str(finding)


def _half_an_app(settings: Settings) -> Settings:
    return with_server(settings, "us-snd", client_secret=None)


def _production_without_key(settings: Settings) -> Settings:
    production = with_server(settings, "us", client_id="id", client_secret="secret", api_url="http://127.0.0.1:9/api")
    return production.model_copy(update={"encryption_key": None})


def _weak_key(settings: Settings) -> Settings:
    return settings.model_copy(update={"encryption_key": f"password1234,{KEY}"})


def _other_key(settings: Settings) -> Settings:
    return settings.model_copy(update={"encryption_key": KEY[::-1]})


def _nobody_there(settings: Settings) -> Settings:
    return with_server(settings, "us-snd", api_url="http://127.0.0.1:9/api")


def _open_folder(settings: Settings) -> Settings:
    settings.landing_dir.chmod(0o755)
    return settings


def _never_pulled(settings: Settings) -> Settings:
    record_pull(settings, "somebody else", timedelta())
    return settings


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
        (with_late_pull, "clinic.maple-street.pulled", 1, "3 days ago"),
        (with_late_pull, "catalog.us.pulled", 1, "3 days ago"),
    ],
)
def test_what_is_broken_fails_with_its_fix(ready: Ready, break_it: Any, check: str, code: int, words: str) -> None:
    found = findings_by_id(break_it(ready[1]))
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
        con.execute(
            """CREATE TABLE ops.drift AS SELECT clinic_id, region, object, observed_at - INTERVAL 60 DAY AS seen_at,
                observed_at - to_days(days) AS last_seen_at
            FROM (SELECT clinic_id, region, observed_at FROM ops.pulls ORDER BY observed_at DESC LIMIT 1),
                (VALUES ('patients', 2), ('orders', 30)) AS t(object, days)"""
        )
        con.execute("INSERT INTO ops.drift VALUES ('not pulled since', 'us', 'labs', '2026-01-01', '2026-01-01')")
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
    with StateStore.open(settings) as store:
        store.inbox.keep_delivery(
            Delivery(server="us-snd", event_id="event-1", event_type="order.placed", body=b"{}", state="failed")
        )
    # As an earlier version made it, under the pipeline's key.
    shutil.copy(settings.warehouse_path, settings.published_dir / "fullscript-deidentified.duckdb")
    found = findings_by_id(settings)
    waiting = {one.id for one in found.values() if one.state == "warn"}
    told = ("quarantine", "drift", "held", "digests")
    assert waiting == {*(f"warehouse.{one}" for one in told), "webhooks.inbox", "copies.deidentified"}
    assert "orders 1" in found["warehouse.quarantine"].what
    assert found["warehouse.drift"].what.endswith("by object: labs 1, patients 1"), (
        "since an upgrade, orders differ no more"
    )
    assert "quarantine list" in str(found["warehouse.quarantine"].fix)
    assert "patients 1 since 2026-11-21" in found["warehouse.held"].what
    assert found["warehouse.digests"].what.endswith(": us 2026-11-22"), "what a later digest has replaced waits no more"
    assert "1 delivery could not be handled" in found["webhooks.inbox"].what
    assert exit_code(list(found.values())) == 0


def test_a_state_store_that_cannot_be_opened_is_not_called_lost(ready: Ready) -> None:
    settings = ready[1]
    settings.state_path.write_bytes(b"not a database" * 1_000)
    found = findings_by_id(settings)
    assert found["state.store"].state == "fail"
    assert "clinics.connected" not in found


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


def test_a_read_only_disk_is_told_as_one(ready: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mounting one takes rights that a test has not; what the system would say is put into its place."""
    read_only = os.statvfs_result((4096, 4096, 1, 1, 1, 1, 1, 1, os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "statvfs", lambda _: read_only)
    found = findings_by_id(ready[1])["files.writable"]
    assert "mounted read-only" in found.what
    assert "Mount it writable" in str(found.fix)


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
    with StateStore.open(settings) as store:
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
