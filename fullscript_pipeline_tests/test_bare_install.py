"""The wheel in an empty environment, outside the checkout: `demo`, `doctor`, `ui`, and the cookbook over its data.

It runs the steps of deploy/Dockerfile. What does not belong here: what the wheel holds (`test_wheel`).
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from fullscript_pipeline_tests.helpers.free_ports import free_port

ROOT = Path(__file__).parents[1]
COOKBOOK = ROOT / "docs" / "cookbook"
_NOTEBOOK = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=120).execute()
print(len(notebook.cells))
"""

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(1500)]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and an empty folder to work in."""

    environment: Path
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        return {
            "PATH": f"{self.environment / 'bin'}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "FULLSCRIPT_DATA_DIR": str(self.folder / "data"),
            "LANG": "C.UTF-8",
        }

    def run(self, *words: str, expected: int = 0) -> str:
        """Runs a command as a user would; its two outputs."""
        done = subprocess.run(
            [self.environment / "bin" / words[0], *words[1:]],
            cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == expected, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, built from a copy of the sources, installed by the script of the container."""
    folder, source = tmp_path_factory.mktemp("bare"), tmp_path_factory.mktemp("source")
    shutil.copytree(
        ROOT / "fullscript_pipeline", source / "fullscript_pipeline", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    uv = Path(sys.executable).with_name("uv")
    build = ("build", "--wheel", "--no-build-isolation", "--offline", "--quiet", "--python", sys.executable)
    subprocess.run([uv, *build, "--out-dir", folder, source], check=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    variables = {**os.environ, "PYTHON": sys.executable}
    subprocess.run([ROOT / "deploy/install.sh", folder / "venv", wheel], check=True, env=variables, timeout=600)
    (folder / "home").mkdir()
    return Installed(folder / "venv", folder / "home")


@pytest.fixture(scope="module")
def demo(installed: Installed) -> Iterator[Installed]:
    """The same, after `demo`, with `ui` running: it serves the demo's sandbox too."""
    said = installed.run("fullscript-pipeline", "demo")
    assert "make ui" not in said and "fullscript-pipeline ui" in said
    port, log = free_port(), installed.folder / "ui.txt"
    with log.open("w") as output:
        command = [str(installed.environment / "bin/fullscript-pipeline"), "ui", "--port", str(port)]
        ui = subprocess.Popen(command, cwd=installed.folder, env=installed.variables, stdout=output, stderr=output)
    try:
        until = time.monotonic() + 120
        while not (link := re.search(r"http://127\.0\.0\.1:\d+/\?code=\S+", log.read_text())):
            assert ui.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.5)
        with httpx.Client(follow_redirects=True, trust_env=False, timeout=30) as browser:
            assert "Dagster" in browser.get(link[0]).text
        yield installed
    finally:
        ui.send_signal(signal.SIGTERM)
        assert ui.wait(60) is not None


def test_an_empty_environment_has_the_commands(installed: Installed) -> None:
    assert "0.1" in installed.run("fullscript-pipeline", "--version")
    assert "settings.apps" in installed.run("fullscript-pipeline", "doctor", expected=78)


def test_doctor_finds_nothing_wrong_with_the_demo(demo: Installed) -> None:
    said = demo.run("fullscript-pipeline", "doctor")
    assert not re.findall(r"^fail  .*", said, re.MULTILINE)


def test_the_cookbook_runs_over_a_published_copy(demo: Installed, tmp_path: Path) -> None:
    demo.run("fullscript-pipeline", "publish")
    python, uv = tmp_path / "cookbook/bin/python", Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "cookbook"], check=True, timeout=60)
    install = ("pip", "install", "--quiet", "--python", python, "--require-hashes", "--only-binary", ":all:")
    subprocess.run([uv, *install, "-r", ROOT / "requirements-cookbook.lock"], check=True, timeout=300)
    variables = {
        **demo.variables,
        "COOKBOOK_COPY": str(demo.folder / "data/published/fullscript.duckdb"),
        "COOKBOOK_MODELS": str(tmp_path / "models.duckdb"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    options = ("--profiles-dir", ".", "--target-path", tmp_path / "target", "--log-path", tmp_path / "logs")
    dbt: list[str | Path] = [python.with_name("dbt"), "build", *options]
    notebook: list[str | Path] = [python, "-c", _NOTEBOOK, COOKBOOK / "supply.ipynb"]
    for command, folder in ((dbt, COOKBOOK / "dbt"), (notebook, tmp_path)):
        done = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
