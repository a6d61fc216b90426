"""What deploy/ starts exists and takes the options it is given; nothing listens beyond loopback without a proxy."""

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import click
import pytest
import yaml

from fullscript_pipeline.cli.main import cli

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
HOME = "/opt/fullscript-pipeline"


def compose(file: str = "compose") -> dict[str, Any]:
    return cast(dict[str, Any], yaml.safe_load((DEPLOY / f"{file}.yaml").read_text()))


def commands() -> dict[str, list[str]]:
    """Every command that a unit or a container runs, without the folder it is in."""
    found: dict[str, list[str]] = {}
    for unit in UNITS:
        for number, line in enumerate(unit.read_text().splitlines()):
            key, _, command = line.partition("=")
            if key in {"ExecStart", "ExecStartPre"}:
                found[f"{unit.name}:{number}"] = shlex.split(command.replace(f"{HOME}/.venv/bin/", ""))
    for file in ("compose", "compose.scale"):
        for name, service in compose(file)["services"].items():
            if not service["image"].startswith("fullscript-pipeline"):
                continue
            words = shlex.split(service["command"])
            parts = words[2].split(" && ") if words[:2] == ["sh", "-c"] else [service["command"]]
            for number, part in enumerate(part for part in parts if not part.startswith("umask ")):
                found[f"{file}.{name}:{number}"] = shlex.split(part.removeprefix("exec "))
    return found


@pytest.mark.parametrize("where", sorted(commands()))
def test_what_is_started_exists_and_takes_its_options(where: str) -> None:
    program, *arguments = commands()[where]
    assert (Path(sys.executable).parent / program).exists(), program
    if program == "python" and arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1]) is not None
        assert arguments[arguments.index("-w") + 1] == "workspace.yaml"
    elif program == "python":
        assert (ROOT / arguments[0]).is_file()
    elif program == "celery":
        assert arguments[0] == "-A" and importlib.util.find_spec(arguments[1]) is not None
    elif program == "fullscript-pipeline":
        context: click.Context | None = None
        command: click.Command = cli
        while isinstance(command, click.Group):
            name, found, arguments = command.resolve_command(click.Context(command), arguments)
            assert found is not None, name
            command = found
        context = command.make_context(where, arguments)
        assert context.command is command
    else:
        assert arguments[arguments.index("-w") + 1] == "workspace.yaml"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for unit in (DEPLOY / "systemd").iterdir():
        # As installed here: the paths must exist for the check, and so must the user.
        text = unit.read_text().replace(HOME, str(ROOT)).replace("User=fullscript", "User=root")
        (tmp_path / unit.name).write_text(text.replace(f"{ROOT}/.venv/bin", str(Path(sys.executable).parent)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_units_keep_their_data_private() -> None:
    for unit in UNITS:
        text = unit.read_text()
        for line in (
            *("User=fullscript", "UMask=0077", "LimitCORE=0", "StateDirectory=fullscript-pipeline"),
            *("StateDirectoryMode=0700", "NoNewPrivileges=yes", "ProtectSystem=strict", "PrivateTmp=yes"),
        ):
            assert f"\n{line}\n" in text, f"{unit.name} lacks {line}"
        # With the file system read-only but for the data directory, whatever a command writes elsewhere is named.
        elsewhere = re.findall(r" --to (\S+)", text)
        assert re.findall(r"^ReadWritePaths=(.+)$", text, re.MULTILINE) == elsewhere, unit.name
        assert "Environment=FULLSCRIPT_DATA_DIR=/var/lib/fullscript-pipeline\n" in text
        assert "0.0.0.0" not in text  # noqa: S104 - looked for, not bound


def test_the_portal_is_started_without_the_settings_of_the_pipeline() -> None:
    text = (DEPLOY / "systemd" / "fullscript-portal.service").read_text()
    assert re.findall(r"^EnvironmentFile=(.+)$", text, re.MULTILINE) == ["/etc/fullscript-portal.env"]
    hidden = re.findall(r"-/var/lib/fullscript-pipeline/(\S+)", text)
    assert hidden == ["fullscript.duckdb", "state.sqlite", "landing", "backups"]
    assert compose()["services"]["portal"]["env_file"] == "portal.env"


def test_pulls_come_after_those_who_wait_for_a_page() -> None:
    """50 requests a second to the portal beside a pull on two processors: p95 35 ms, and 5.7 s without it."""
    least_first = [unit.name for unit in UNITS if "\nNice=10\n" in unit.read_text()]
    assert least_first == ["fullscript-worker.service"], "the daemon's runs lower their own priority (`run_parent`)"
    shares = {name: service.get("cpu_shares") for name, service in compose()["services"].items()}
    assert shares == {"daemon": 256, "webserver": None, "receiver": None, "portal": None}, "1024 is the default"


def test_containers_are_reached_on_loopback_only_and_hold_no_secret() -> None:
    described = compose()
    services = described["services"]
    assert set(services) == {"daemon", "webserver", "receiver", "portal"}
    for name, service in services.items():
        assert service["read_only"] is True
        assert service["ulimits"]["core"] == 0
        assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
        assert not service["command"].startswith("sh -c") or "umask 077 && " in service["command"], name
        assert service["volumes"] == ["data:/data"] and "data" in described["volumes"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "environment" not in service, "secrets belong into the env_file"
        # Locks and abandoned runs are told by process id: all must see the same ones.
        assert name == "daemon" or service["pid"] == "service:daemon"
    copied = [
        line.split()[1:-1]
        for line in (DEPLOY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY") and not line.startswith("COPY --from=build /wheel ")
    ]
    sources = {source for sources in copied for source in sources} - {"$LOCK"}
    sources |= {"requirements-run.lock", compose("compose.scale")["services"]["worker"]["build"]["args"]["LOCK"]}
    assert all((ROOT / source).exists() for source in sources)
    assert not sources & {".", "data", ".env"}


def test_the_image_is_made_from_the_wheel_for_another_user_and_has_a_health_check() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert "uv build --quiet --wheel" in text and "--editable" not in text
    assert "\nUSER fullscript\n" in text and "\nHEALTHCHECK " in text
    checked = {name for name, service in compose()["services"].items() if "healthcheck" in service}
    assert checked == {"webserver", "receiver", "portal"}, "the daemon has the image's"


def test_the_health_check_says_that_nothing_listens() -> None:
    command = [sys.executable, str(DEPLOY / "health_check.py"), "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "no answer on port 1" in done.stderr
