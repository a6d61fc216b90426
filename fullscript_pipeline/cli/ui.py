"""`ui`: the Dagster UI and daemon on loopback, over this data directory and, where there is one, the demo's sandbox."""

import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import click

from fullscript_pipeline.cli.children import child, sandbox_server
from fullscript_pipeline.cli.demo import read_env
from fullscript_pipeline.cli.say import talk
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.orchestration.instance import prepare_home
from fullscript_pipeline.settings import load_settings

WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"


@click.command(help="Serve the Dagster UI on 127.0.0.1 until stopped.")
@click.option("--port", type=int, default=3000, show_default=True)
def ui(port: int) -> int:
    os.environ.update({name: value for name, value in read_env(load_settings()).items() if name not in os.environ})
    settings = load_settings()
    _require_free(port)
    prepare_home(settings)
    with ExitStack() as running:
        if api_url := os.environ.get("FULLSCRIPT_US_SND_API_URL", ""):
            address = urlsplit(api_url)
            if address.hostname == "127.0.0.1" and (settings.sandbox_dir).exists() and address.port:
                url = running.enter_context(sandbox_server(str(settings.sandbox_dir), address.port))
                talk(f"sandbox      {url}")
        # `dg dev` and `dagster dev` are the same servers; dagster's own entry point needs no package of its own.
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(WORKSPACE), "-h", "127.0.0.1", "-p", str(port)]
        process = running.enter_context(child(command))
        talk(f"Dagster UI   http://127.0.0.1:{port}   (stop with Ctrl-C)", bold=True)
        try:
            return process.wait()
        except KeyboardInterrupt:
            talk("stopping ...")
            return 0


def _require_free(port: int) -> None:
    """Raises UsageError: two UIs on one port would share it silently."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UsageError(
                f"Port {port} is in use (another UI?): stop that, or choose another with --port."
            ) from None
