"""What a user may do wrong: one sentence on stderr, the contract's exit code, no traceback."""

import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.command_runs import Run
from fullscript_pipeline_tests.helpers.free_ports import free_port, free_redirect_uri

APP = {"FULLSCRIPT_US_SND_CLIENT_ID": "id", "FULLSCRIPT_US_SND_CLIENT_SECRET": "secret"}

CASES = {
    "no clinic connected": (("pull",), {}, 77, "connect"),
    "refresh with nobody": (("refresh",), {}, 77, "connect"),
    "report with nobody": (("report", "adherence"), {}, 77, "connect"),
    "unknown clinic": (("pull", "--clinic", "nobody"), {}, 2, "nobody"),
    "unknown server": (("connect", "mars"), {}, 2, "mars"),
    "no app": (("connect", "us-snd"), {}, 78, "FULLSCRIPT_US_SND_CLIENT_ID"),
    "production without a key": (
        ("connect", "us"),
        {"FULLSCRIPT_US_CLIENT_ID": "x", "FULLSCRIPT_US_CLIENT_SECRET": "y"},
        78,
        "FULLSCRIPT_ENCRYPTION_KEY",
    ),
    "not a day": (("pull", "--day", "tomorrow"), {}, 2, "2026-11-22"),
    "no such option": (("pull", "--everything"), {}, 2, "--everything"),
    "bad clock": (("pull",), {"FULLSCRIPT_NOW": "noon"}, 78, "FULLSCRIPT_NOW"),
    "bad time zone": (("clinics",), {"FULLSCRIPT_TIME_ZONE": "Mars/Olympus"}, 78, "FULLSCRIPT_TIME_ZONE"),
    "no warehouse": (("catalog", "diff", "2026-11-01", "2026-11-02"), {}, 78, "pull"),
    "no sandbox": (("sandbox", "advance", "--days", "1"), {}, 2, "sandbox serve"),
    "disconnect whom": (("disconnect",), {}, 2, "--all"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_gets_a_sentence_and_an_exit_code(case: str, tmp_path: Path, run: Run) -> None:
    arguments, variables, code, word = CASES[case]
    finished = run(*arguments, data=tmp_path / "data", **variables)
    assert finished.returncode == code, finished.stderr
    assert word in finished.stderr
    assert finished.stdout == ""


def test_a_data_directory_that_is_not_writable(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("not a folder")
    finished = run("pull", data=tmp_path / "file" / "data")
    assert finished.returncode == 78
    assert "FULLSCRIPT_DATA_DIR" in finished.stderr


def test_a_server_that_does_not_answer_ends_in_a_sentence(tmp_path: Path, run: Run) -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    finished = run("connect", "us-snd", "--paste", data=tmp_path / "d", **APP, FULLSCRIPT_US_SND_API_URL=url)
    assert finished.returncode != 0


def test_a_list_of_nobody_says_where_it_looked_and_makes_nothing(tmp_path: Path, run: Run) -> None:
    finished = run("clinics", data=tmp_path / "elsewhere")
    assert (finished.returncode, finished.stdout) == (0, "")
    assert str(tmp_path / "elsewhere") in finished.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "code"), [("clinics", 78), ("doctor", 78), ("ui", 78)])
def test_a_folder_that_may_not_be_looked_into_is_a_sentence(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, command: str, code: int
) -> None:
    """A test may run as root, whom no mode keeps out: what the system says to others is put into its place."""
    folder, exists = tmp_path / "data", Path.exists
    folder.mkdir()

    def refused(path: Path) -> bool:
        if path.parent == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", refused)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder)
    finished = run(command, data=folder)
    assert finished.returncode == code
    assert str(folder) in finished.stderr + finished.stdout
    assert "Traceback" not in finished.stderr


def test_a_port_in_use_is_named(tmp_path: Path, run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        finished = run("sandbox", "serve", "--port", port, data=tmp_path / "data")
        ui = run("ui", "--port", port, data=tmp_path / "data")
    assert (finished.returncode, ui.returncode) == (75, 75)
    assert port in finished.stderr
    assert port in ui.stderr


def test_a_second_ui_over_one_directory_is_refused(tmp_path: Path, run: Run) -> None:
    home = tmp_path / "data" / "dagster_home"
    home.mkdir(parents=True)
    with FileLock(home / "ui.lock"):
        finished = run("ui", "--port", str(free_port()), data=tmp_path / "data")
    assert finished.returncode == 75
    assert "A UI with its daemon already runs" in finished.stderr


def test_two_signals_at_once_are_one_stop_and_no_traceback(tmp_path: Path) -> None:
    """The second one comes while the first one's KeyboardInterrupt leaves a lock that `connect` waits with."""
    environment = {**os.environ, **APP, "FULLSCRIPT_DATA_DIR": str(tmp_path / "data")}
    environment["FULLSCRIPT_REDIRECT_URI"] = free_redirect_uri()
    command = [sys.executable, "-m", "fullscript_pipeline", "connect", "us-snd", "--no-browser"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        _, told = process.communicate(timeout=20)
    assert (process.returncode, "Traceback" in told) == (130, False), told


def test_a_demo_does_not_replace_what_no_demo_made(tmp_path: Path, run: Run) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "fullscript.duckdb").write_text("precious")
    finished = run("demo", data=data)
    assert finished.returncode == 78
    assert (data / "fullscript.duckdb").read_text() == "precious"


@pytest.mark.parametrize("command", ["pull", "refresh", "clinics"])
def test_a_state_store_that_was_lost_beside_a_warehouse_is_told(tmp_path: Path, run: Run, command: str) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    migrate(Warehouse(data / "fullscript.duckdb"), [])
    (data / "state.sqlite").touch(mode=0o600)
    finished = run(command, data=data)
    assert "restore FROM" in finished.stderr and "was lost" in finished.stderr


def test_a_disk_that_takes_no_more_is_a_sentence(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "FULLSCRIPT_DATA_DIR": str(tmp_path / "data")}

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    told = subprocess.run(
        [sys.executable, "-m", "fullscript_pipeline", "pull"],
        env=environment, cwd=tmp_path, preexec_fn=limited, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 78
    assert "free some space" in told.stderr and "Traceback" not in told.stderr
