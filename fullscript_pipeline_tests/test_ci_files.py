"""The hosted workflow runs the same script as anybody, and the hooks run what is installed here."""

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def _read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_workflow_calls_the_script_and_may_only_read() -> None:
    workflow = _read(".github/workflows/ci.yml")
    commands = {name: job["steps"][-1]["run"] for name, job in workflow["jobs"].items()}
    assert commands == {"checks": ".ci/run", "coverage": "make coverage"}
    assert workflow["permissions"] == {"contents": "read"}
    assert (ROOT / ".ci/run").stat().st_mode & 0o100


def test_the_hooks_run_tools_of_the_environment() -> None:
    hooks = [hook for repo in _read(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format", "mypy"]
    for hook in hooks:
        program = hook["entry"].split()[0]
        assert hook["language"] == "system" and (Path(sys.executable).parent / Path(program).name).exists()


def test_the_locks_for_running_hold_no_test_tool() -> None:
    names = [line.split("==")[0] for line in (ROOT / "requirements-run.lock").read_text().splitlines() if "==" in line]
    assert "dagster" in names and not {"pytest", "mypy", "ruff"} & set(names)
