"""docs/adding-a-resource.md, followed to the letter: its blocks become files of a copy of the package, and it works."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg

from fullscript_pipeline.build import build_defs
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.sandbox_server import START

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adding-a-resource.md"
PACKAGE = "fullscript_pipeline"
# The last row of TYPES that is documented, in the source.
_BEFORE = '    EventType("patient.*", '
# What the copy knows of the example, after it pulled it twice.
_LOOK = """
import json, sys
import dagster as dg
import fullscript_pipeline
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.cli.pull_runner import PullOptions, pull
from fullscript_pipeline.event_types import event_family, row_of
from fullscript_pipeline.extraction.request_estimate import plan_clinic
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore

settings, names = load_settings(), ("team", "roster")
codes = [pull(PullOptions(only=names)) for _ in range(2)]
with StateStore(settings.state_path, settings.encryption_key) as store:
    lines = plan_clinic(None, store.clinics()[0], settings.start_date)
with open_warehouse().read() as con:
    rows = dict(con.execute("SELECT member_id, first_name FROM core.team").fetchall())
    roster = dict(con.execute("SELECT member_id, first_name FROM core.roster").fetchall())
    written = con.execute("SELECT rows_added FROM ops.pulls WHERE resource IN ('team', 'roster') ORDER BY finished_at")
    added = [row[0] for row in written.fetchall()]
specs = {spec.key.to_user_string(): spec for spec in build_defs().resolve_all_asset_specs()}
row, family = row_of("order.shipped"), event_family("order.shipped")
json.dump(
    {
        "package": fullscript_pipeline.__file__,
        "codes": codes,
        "added": added,
        "rows": rows,
        "roster": roster,
        "estimate": {line.resource: line.endpoint for line in lines if line.resource in names},
        "text": specs["core/team"].description,
        "event": [row.pattern, row.is_documented, [also.name for also in row.also], family.name],
    },
    open(sys.argv[1], "w"),
)
"""


def test_the_example_works(tmp_path: Path) -> None:
    copy = _package_with_the_example(tmp_path / "copy")
    with connected_pipeline(tmp_path, clinics=1, patients=5, products=20) as connected:
        with connected.sandbox.client(next(iter(connected.sandbox.clinics))) as client:
            listed = {member["id"]: member["first_name"] for member in client.get("clinic/staff").json()["staff"]}
        seen = _look(copy, tmp_path / "seen.json")
    assert Path(seen["package"]).is_relative_to(copy), "it is the copy that ran"
    assert seen["codes"] == [0, 0], "`--only` accepts both"
    assert seen["rows"] == seen["roster"] == listed
    assert seen["added"] == [len(listed), len(listed), 0, 0]
    assert seen["estimate"] == {"team": "GET /clinic/staff", "roster": "GET /clinic/staff"}
    assert "Everybody who works at the clinic." in seen["text"]
    assert "Source: `GET /clinic/staff`. Scope: `clinic:read`." in seen["text"]
    assert seen["event"] == ["order.shipped", True, ["LAB_ORDERS"], "orders"]


def _package_with_the_example(directory: Path) -> Path:
    """A copy of the package with the page's blocks in it: a file each, and the event type as a line of the table."""
    shutil.copytree(ROOT / PACKAGE, directory / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        title, _, code = block.partition("\n")
        name, _, place = title.removeprefix("# ").partition(": ")
        if place:
            text = (directory / name).read_text(encoding="utf-8")
            assert text.count(_BEFORE) == 1
            (directory / name).write_text(text.replace(_BEFORE, code + _BEFORE), encoding="utf-8")
        else:
            assert not (directory / name).exists()
            (directory / name).write_text(code, encoding="utf-8")
    return directory


def _look(copy: Path, into: Path) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-c", _LOOK, str(into)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(copy), "FULLSCRIPT_START_DATE": START.isoformat()},
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    seen: dict[str, Any] = json.loads(into.read_text(encoding="utf-8"))
    return seen


def test_the_project_builds_without_the_example() -> None:
    """The page speaks of tables that must not be in the real graph."""
    keys = build_defs().resolve_asset_graph().get_all_asset_keys()
    assert not {dg.AssetKey(["core", "team"]), dg.AssetKey(["core", "roster"])} & keys
