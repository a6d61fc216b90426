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
import pytest

from fullscript_pipeline.build import build_defs
from fullscript_pipeline.event_types import row_of
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.sandbox_server import START

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adding-a-resource.md"
PACKAGE = "fullscript_pipeline"
# The last row of TYPES that is documented, in the source.
_BEFORE = '    EventType(pattern="patient.*", '
# What the copy does with the example: two pulls, and a refresh of an event of the added type. Prints what it sees.
_SCRIPT = """
import json, sys
from pathlib import Path
import fullscript_pipeline
from fullscript_pipeline import clock
from fullscript_pipeline.api import open_session
from fullscript_pipeline.build import build_defs
from fullscript_pipeline.cli.pull_runner import PullOptions, pull
from fullscript_pipeline.extraction.request_estimate import estimate_clinic
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.orchestration.assets import make_target
from fullscript_pipeline.refresh import handle_events, list_notices
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import LedgerEvent, StateStore

settings, names, order_id = load_settings(), ("team", "roster"), sys.argv[2]
codes = [pull(settings, PullOptions(only=names)) for _ in range(2)]
warehouse = open_warehouse(settings)
with StateStore.open(settings) as store:
    clinic = store.clinics.all()[0]
    estimate = {line.resource: line.endpoint for line in estimate_clinic(None, clinic, settings.start_date)}
    event = LedgerEvent(
        server=clinic.server,
        clinic_id=clinic.clinic_id,
        event_id="event-1",
        event_type="Order.shipped",
        resource_id=order_id,
        created_at=clock.now().isoformat(),
        seen_by="webhook",
    )
    store.events.record([event])
    target = make_target(
        settings,
        warehouse,
        settings.start_date,
        run_id="run-1",
        of=clinic,
        claims_in=store,
        clinic=clinic,
    )
    with open_session(settings, store, clinic) as session:
        refreshed = handle_events(target, session, store)
    sentences = [notice.sentence for notice in list_notices(store, clinic)]
with warehouse.read() as con:
    rows = {name: dict(con.execute(f"SELECT member_id, first_name FROM core.{name}").fetchall()) for name in names}
    pulls = con.execute("SELECT rows_added FROM ops.pulls WHERE resource IN ('team', 'roster') ORDER BY finished_at")
    added = [number for (number,) in pulls.fetchall()]
    orders = [number for (number,) in con.execute("SELECT order_id FROM core.orders").fetchall()]
specs = {spec.key.to_user_string(): spec for spec in build_defs(load_settings).resolve_all_asset_specs()}
report = {
    "package": fullscript_pipeline.__file__,
    "codes": codes,
    "added": added,
    "rows": rows,
    "estimate": {name: estimate[name] for name in names},
    "text": specs["core/team"].description,
    "refreshed": refreshed.event_ids,
    "orders": orders,
    "sentences": sentences,
}
Path(sys.argv[1]).write_text(json.dumps(report), encoding="utf-8")
"""


@pytest.mark.check_all
def test_the_example_works(tmp_path: Path) -> None:
    copy = _package_with_the_example(tmp_path / "copy")
    with connected_pipeline(tmp_path, clinics=1, patients=5, products=20) as connected:
        with connected.sandbox.client(next(iter(connected.sandbox.clinics))) as client:
            staff = {member["id"]: member["first_name"] for member in client.get("clinic/staff").json()["staff"]}
            order_id = client.get("clinic/orders").json()["orders"][0]["id"]
        report = _run(copy, tmp_path / "report.json", order_id)
    assert Path(report["package"]).is_relative_to(copy), "it is the copy that ran"
    assert report["codes"] == [0, 0], "`--only` accepts both"
    assert report["rows"] == {"team": staff, "roster": staff}
    assert report["added"] == [len(staff), len(staff), 0, 0]
    assert report["estimate"] == {"team": "GET /clinic/staff", "roster": "GET /clinic/staff"}
    assert "Everybody who works at the clinic." in report["text"]
    assert "Source: `GET /clinic/staff`. Scope: `clinic:read`." in report["text"]
    assert (report["refreshed"], report["orders"]) == (["event-1"], [order_id]), "the order was read for the event"
    (sentence,) = report["sentences"]
    assert re.fullmatch(r"\S+: an order left the warehouse on 20\S+ \(order\.shipped\)\.", sentence), "an alert"
    assert not row_of("order.shipped").is_documented, "the package itself does not know the type"


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


def _run(copy: Path, report: Path, order_id: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(report), order_id],
        check=False,
        env={**os.environ, "PYTHONPATH": str(copy), "FULLSCRIPT_START_DATE": START.isoformat()},
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    written: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return written


def test_the_project_builds_without_the_example() -> None:
    """The page speaks of tables that must not be in the real graph."""
    keys = build_defs(load_settings).resolve_asset_graph().get_all_asset_keys()
    assert not {dg.AssetKey(["core", "team"]), dg.AssetKey(["core", "roster"])} & keys
