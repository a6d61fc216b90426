"""Every command that takes data out, lets somebody in or removes data is recorded before it does; else it does not."""

import json
import os
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.cli.main import main
from fullscript_pipeline.maintenance.backup import MANIFEST
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import Delivery, StateStore
from fullscript_pipeline_tests.helpers.command_tree import COMMANDS
from fullscript_pipeline_tests.helpers.warehouse_loads import put

KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
SECRET = "CanaryLastname"
Run = Callable[..., tuple[int, str, str]]

# Command -> a line that would take something out, let somebody in or remove something.
RECORDED = {
    "export": ("export",),
    "publish": ("publish",),
    "backup": ("backup",),
    "restore": ("restore", "BACKUP", "--force"),
    "purge": ("purge", "--patient", "acme", "p1", "--yes"),
    "report adherence": ("report", "adherence"),
    "report dosages": ("report", "dosages"),
    "report snooze": ("report", "snooze", "acme", "p1", "--until", "UNTIL"),
    "keys rotate": ("keys", "rotate"),
    "connect": ("connect", "us-snd", "--paste"),
    "disconnect": ("disconnect", "acme"),
    "webhooks inbox list": ("webhooks", "inbox", "list", "--json", "--body"),
    "quarantine list": ("quarantine", "list", "--show-record"),
    "tidy": ("tidy",),
    "migrate-store": (),  # needs two databases: cli/test_migrate_store.py
    "clock repair": (),  # needs times that lie in the future: orchestration/test_clock_repair.py
}
# These show, fetch or change, and neither take data of patients out nor remove any.
NOT_RECORDED = {
    "demo", "ui", "ui link", "sandbox serve", "sandbox advance", "sandbox fault", "sandbox quirks", "sandbox webhook",
    "clinics", "clinics accept-view", "clinics set", "pull", "refresh", "catalog diff", "catalog show",
    "catalog changes", "catalog coverage", "catalog release", "quarantine replay", "webhooks serve", "web serve",
    "web invite", "web audit",
    "catalog compare", "probe", "webhooks inbox replay", "webhooks inbox ignore", "webhooks status", "doctor",
    "keys new", "audit list", "audit verify",
}  # fmt: skip


def test_whoever_adds_a_command_says_whether_it_is_recorded() -> None:
    assert COMMANDS.keys() == RECORDED.keys() | NOT_RECORDED


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory of a clinic with a patient, a record in quarantine, a delivery and a backup."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        del os.environ[name]
    folder = tmp_path_factory.mktemp("audited")
    os.environ |= {
        "FULLSCRIPT_DATA_DIR": str(folder / "data"),
        "FULLSCRIPT_ENCRYPTION_KEY": KEY,
        "FULLSCRIPT_KEEP_LANDING_DAYS": "5",
        "FULLSCRIPT_START_DATE": "2026-11-01",
        "FULLSCRIPT_US_SND_CLIENT_ID": "app",
        "FULLSCRIPT_US_SND_CLIENT_SECRET": "canary-client-secret",
        # Nothing listens there.
        "FULLSCRIPT_US_SND_API_URL": "http://127.0.0.1:9/api",
        "FULLSCRIPT_US_SND_AUTHORIZE_URL": "http://127.0.0.1:9/oauth/authorize",
    }
    try:
        warehouse = open_warehouse(load_settings())
        put(warehouse, PATIENTS, [{"id": "p1", "last_name": SECRET}])
        put(warehouse, ORDERS, [{"id": "a1", "order_number": SECRET, "completed_at": "perhaps"}])
        settings = load_settings()
        with StateStore(settings.state_path, KEY) as store:
            store.clinics.register("us-snd", "c1", "us", "Acme")
            store.inbox.keep_delivery(Delivery(server="us-snd", event_id="d1", clinic_id="c1", body=SECRET.encode()))
        yield folder / "data"
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def run(filled: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """The console script, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fullscript-pipeline", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capfd.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    return run


def _listed(run: Run) -> list[dict[str, object]]:
    return [json.loads(line) for line in run("audit", "list", "--json")[1].splitlines()]


def _files(data: Path) -> dict[str, int]:
    """Every file but the state store, which the log is in, with its size."""
    files = (path for path in data.rglob("*") if path.is_file() and not path.name.startswith("state.sqlite"))
    return {str(path): path.stat().st_size for path in files}


@pytest.fixture(scope="module")
def backup(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from fullscript_pipeline.maintenance.backup import back_up  # noqa: PLC0415

    return back_up(load_settings(), open_warehouse(load_settings()), tmp_path_factory.mktemp("elsewhere")).folder


@pytest.mark.parametrize("command", [one for one, line in RECORDED.items() if line])
def test_what_cannot_be_recorded_does_not_begin(
    run: Run, filled: Path, backup: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_AUDIT_COMMAND", "false")
    monkeypatch.setattr("fullscript_pipeline.api.authorization_flow.ConnectFlow.check_addresses", lambda _: None)
    before, lines = _files(filled), len(_listed(run))
    given = {"BACKUP": str(backup), "UNTIL": f"{clock.now() + timedelta(days=7):%Y-%m-%d}"}
    code, out, err = run(*(given.get(part, part) for part in RECORDED[command]))
    assert (code, SECRET in out) == (78, False)
    assert "FULLSCRIPT_AUDIT_COMMAND" in err
    assert "does not begin" in err
    assert _files(filled) == before
    begun, failed = _listed(run)[lines:]
    assert (begun["event"], failed["event"], failed["action"]) == ("started", "failed", begun["number"])
    assert str(begun["command"]).startswith(command)


def test_what_was_done_is_told_with_how_much_and_where_to(run: Run, filled: Path, tmp_path: Path) -> None:
    lines = len(_listed(run))
    assert run("export", "--table", "patients", "--to", str(tmp_path / "out"))[0] == 0
    code, out, err = run("export", "--patient", "acme", "p1", "--to", str(tmp_path / "out"))
    assert (code, SECRET in Path(out.strip()).read_text(), "core.patients" in err) == (0, True, True)
    assert run("export", "--patient", "acme", "p1", "--table", "orders")[0] == 2
    assert run("report", "dosages")[0] == 0
    assert SECRET in run("webhooks", "inbox", "list", "--json", "--body")[1]
    assert SECRET in run("quarantine", "list", "--show-record")[1]
    assert run("purge", "--patient", "acme", "nobody", "--yes")[0] == 2
    ends = [one for one in _listed(run)[lines:] if one["event"] != "started"]
    assert [(one["command"], one["event"], one.get("rows")) for one in ends] == [
        ("export", "finished", 1),
        ("export --patient", "finished", 1),
        ("report dosages", "finished", 0),
        ("webhooks inbox list --body", "finished", 1),
        ("quarantine list --show-record", "finished", 1),
        ("purge", "failed", None),
    ]
    starts = {one["command"]: one for one in _listed(run)[lines:] if one["event"] == "started"}
    assert starts["export"]["destination"] == str(tmp_path / "out")
    assert starts["export"]["whose"] == {"of": "everybody"}
    whose = starts["purge"]["whose"]
    assert isinstance(whose, dict)
    assert whose["of"] == "a patient"
    assert "nobody" not in json.dumps(starts), "a digest, no id"
    shown = run("audit", "list")[1]
    assert "export" in shown
    assert "done" in shown
    assert "failed (UsageError)" in shown
    code, out, err = run("audit", "verify")
    assert code == 0
    assert "all unchanged" in err
    assert run("audit", "verify", "--head", out.strip())[0] == 0


def test_reading_without_bodies_or_records_is_not_recorded(run: Run) -> None:
    lines = len(_listed(run))
    assert run("webhooks", "inbox", "list", "--json")[0] == 0
    assert run("quarantine", "list")[0] == 0
    assert run("tidy", "--dry-run")[0] == 0
    assert len(_listed(run)) == lines


def test_entries_leave_the_machine_without_our_secrets(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept"
    program = f"import os, sys; open({str(kept)!r}, 'a').write(sys.stdin.read() + '\\n' + repr(dict(os.environ)))"
    monkeypatch.setenv("FULLSCRIPT_AUDIT_COMMAND", f'{sys.executable} -c "{program}"')
    monkeypatch.setenv("FULLSCRIPT_AUDIT_SYSLOG", str(tmp_path / "log"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "log"))
        assert run("report", "dosages")[0] == 0
        heard = [listener.recv(10_000).decode() for _ in range(2)]
    assert [one.startswith("<86>") for one in heard] == [True, True]
    told = kept.read_text()
    head = json.loads(told.splitlines()[0])["head"]
    assert head in heard[0]
    assert run("audit", "verify", "--head", head)[0] == 0
    assert KEY not in told
    assert "canary-client-secret" not in told
    monkeypatch.setenv("FULLSCRIPT_AUDIT_SYSLOG", str(tmp_path / "nobody-listens"))
    assert "FULLSCRIPT_AUDIT_SYSLOG" in run("report", "dosages")[2]


@pytest.mark.parametrize("value", ["nonsense", "host:", ":514", "host:x", "host:70000"])
def test_an_address_that_cannot_be_used_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FULLSCRIPT_AUDIT_SYSLOG", value)
    code, _, err = run("report", "dosages")
    assert (code, "FULLSCRIPT_AUDIT_SYSLOG" in err) == (78, True)


def test_a_backup_notes_the_head_and_a_restore_loses_no_entry(run: Run, filled: Path) -> None:
    code, out, _ = run("backup")
    assert code == 0
    folder = Path(out.strip())
    (noted,) = json.loads((folder / MANIFEST).read_text())["audit_heads"]
    assert run("audit", "verify", "--head", noted)[0] == 0
    assert run("export")[0] == 0
    before = _listed(run)
    assert run("restore", str(folder), "--force")[0] == 0
    after = _listed(run)
    assert after[: len(before)] == before, "what was taken after the backup is still told"
    assert [(one["event"], one.get("command")) for one in after[len(before) :]] == [
        ("started", "restore"),
        ("begun", None),
        ("finished", "restore"),
    ]
    assert run("audit", "verify")[0] == 0
    with closing(sqlite3.connect(filled / "state.sqlite")) as connection:
        connection.execute("DELETE FROM audit_log WHERE number = 3")
        connection.commit()
    code, out, err = run("audit", "verify")
    assert (code, "missing" in out, "was changed after it was written" in err) == (1, True, True)
    assert "state.audit_log: entry 3 of chain" in run("doctor")[1]
