"""The process that has imported the definitions, for the web server and the daemon of `ui`; runs start from it.

Left to themselves, each of the two starts one, and the daemon a new one every minute, which costs more than everything
else that an idle UI does. Its socket lies in a folder that only this user can enter: a port would answer anybody here.
What does not belong here: what a run needs (`orchestration.runtime.run_parent`).
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fullscript_pipeline.cli.subprocesses import run_child
from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable
from fullscript_pipeline.settings import Settings

_MODULE = "fullscript_pipeline.definitions"
LOCATION = "fullscript_pipeline"
_POLL_SECONDS = 0.05
# The system's limit is 104 to 108 bytes.
_LONGEST_SOCKET_PATH = 100


class CodeServer(NamedTuple):
    """`workspace`: the file that leads Dagster's processes to it."""

    process: "subprocess.Popen[str]"
    workspace: Path


@contextmanager
def code_server(settings: Settings, log_format: str, environment: dict[str, str]) -> Iterator[CodeServer]:
    """Serves the definitions within the block; they are loaded when the first process asks for them.

    Raises ConfigurationError when TMPDIR is too long for a socket, ServiceUnavailable when the process ends before it
    listens.
    """
    with tempfile.TemporaryDirectory(prefix="fullscript-") as folder:
        address, workspace = Path(folder) / "code", Path(folder) / "workspace.yaml"
        if len(os.fsencode(address)) > _LONGEST_SOCKET_PATH:
            raise ConfigurationError(
                f"TMPDIR ({tempfile.gettempdir()}) is too long for a socket: set it to a folder with a shorter path."
            )
        # JSON is YAML.
        location = {"grpc_server": {"socket": str(address), "location_name": LOCATION}}
        workspace.write_text(json.dumps({"load_from": [location]}))
        command = [sys.executable, "-m", "dagster", "api", "grpc", "--lazy-load-user-code"]
        command += ["--socket", str(address), "--module-name", _MODULE, "--location-name", LOCATION]
        # It says that it starts before it has read the settings.
        command += ["--log-level", "warning", "--log-format", log_format]
        with run_child(command, environment, cwd=settings.dagster_home) as process:
            # Dagster's processes take a location that does not answer for a broken one.
            while not _listens(address):
                if (code := process.poll()) is not None:
                    raise ServiceUnavailable(f"The code server stopped with exit code {code}; its log is above.")
                time.sleep(_POLL_SECONDS)
            yield CodeServer(process, workspace)


def _listens(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(address)) == 0
