"""The built wheel holds everything that the package reads: from it the UI shows the texts that a checkout shows."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import fullscript_pipeline

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / fullscript_pipeline.__name__
# Every text of a column in the UI, and whether Dagster's own commands find the workspace.
_SCRIPT = """
import json, sys
from pathlib import Path
import fullscript_pipeline
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.settings import load_settings

texts = {
    f"{spec.key.to_user_string()}.{column.name}": column.description
    for spec in build_defs(load_settings).resolve_all_asset_specs()
    for column in spec.metadata["dagster/column_schema"].columns
}
package = Path(fullscript_pipeline.__file__)
workspace = package.parent / "orchestration" / "workspace.yaml"
report = {"package": str(package), "texts": texts, "workspace": workspace.is_file()}
Path(sys.argv[1]).write_text(json.dumps(report), encoding="utf-8")
"""

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    # A copy, as what an earlier build left behind would get into this one.
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    uv = Path(sys.executable).with_name("uv")
    options = ("--wheel", "--no-build-isolation", "--offline", "--quiet", "--python", sys.executable)
    subprocess.run([uv, "build", *options, "--out-dir", folder, source], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    files = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    assert packed == files
    assert {f"Version: {fullscript_pipeline.__version__}", "License-Expression: Apache-2.0"} <= set(lines)


def test_the_ui_shows_the_same_texts(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    installed, checkout = (_report(place, tmp_path) for place in (tmp_path / "installed", ROOT))
    assert Path(str(installed["package"])).is_relative_to(tmp_path / "installed"), "it is the wheel that ran"
    assert installed["texts"] == checkout["texts"]
    assert installed["workspace"]
    texts = checkout["texts"]
    assert isinstance(texts, dict)
    assert [column for column, text in texts.items() if not text] == []


def _report(place: Path, folder: Path) -> dict[str, object]:
    report = folder / "report.json"
    environment = {**os.environ, "PYTHONPATH": str(place), "FULLSCRIPT_DATA_DIR": str(folder / "data")}
    subprocess.run([sys.executable, "-c", _SCRIPT, report], check=True, env=environment, cwd=folder, timeout=100)
    written: dict[str, object] = json.loads(report.read_text(encoding="utf-8"))
    return written
