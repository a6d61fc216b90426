"""What a user is told when the other side misbehaves: every fault of the sandbox, armed once and for good, as a table.

`python -m fullscript_pipeline_tests.helpers.fault_table` writes the table into docs/operations.md; a test holds it
equal. Waits are left out and timeouts shortened, nothing else. What does not belong here: what faults do to the data
(`soak`).
"""

import contextlib
import io
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

import dagster as dg

from fullscript_pipeline.api import retry, session
from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs
from fullscript_pipeline.orchestration.runtime import resources
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition
from fullscript_pipeline.sandbox.faults import KINDS
from fullscript_pipeline.state.request_budget import RequestBudget
from fullscript_pipeline.state.token_store import GrantRecords
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.sandbox_server import START

GUIDE = Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- fault table: begin -->", "<!-- fault table: end -->"
LISTING = "/clinic/patients"
# Faults of things that patients do not have, or that are not new, strike a list of these.
ORDERS = "/clinic/orders"
OF_ORDERS = frozenset({"child_moved", "child_shared", "late_object", "filters_ignored"})
# A fault of the token call needs a token call: the listing's token is refused once.
TOKEN_FAULTS = ("commit_then_drop", "html_200", "http_500")
# What is said of the app is no fault on the way: a pull does not get over it.
OF_THE_APP = frozenset({"invalid_client"})
# Between attempts; a door that opens again after a second or two is waited for.
_naps = {"seconds": 0.0}
_ASSETS = {LISTING: ("core/patients",), ORDERS: ("core/orders", "core/order_line_items")}


@dataclass(frozen=True)
class Told:
    """How a pull of a list of two pages ended: its exit code; the command line's lines; the UI's text; a reason."""

    code: int
    said: str
    shown: str
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The failure's sentence as the command line prints it, without the step's name."""
        lines = [line for line in self.said.splitlines() if line.startswith("  ")]
        return lines[0].strip().partition(": ")[2] if lines else ""


@dataclass(frozen=True)
class Row:
    """A fault, where it was armed, and what was told when it struck once and when it did not stop."""

    kind: str
    endpoint: str
    once: Told
    always: Told


def rows() -> Iterator[Row]:
    """Every fault against a sandbox of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _impatient(),
        connected_pipeline(Path(folder), clinics=1, patients=130, products=20, history_days=10) as connected,
    ):
        instance = open_instance(connected.settings)
        add_clinic_partitions(instance, connected.store)
        for kind in (kind for kind in KINDS if kind not in OF_THE_APP):
            where = ORDERS if kind in OF_ORDERS else LISTING
            yield Row(kind, where, *(_run_with_fault(connected, instance, kind, where, count) for count in (1, None)))
        for kind in TOKEN_FAULTS:
            yield Row(
                kind,
                "/oauth/token",
                *(_run_with_fault(connected, instance, kind, "/oauth/token", n) for n in (1, None)),
            )
        instance.dispose()


def _run_with_fault(
    connected: Connected, instance: dg.DagsterInstance, kind: str, endpoint: str, count: int | None
) -> Told:
    control, clinic = connected.sandbox.control, connected.store.clinics.all()[0]
    _reset(connected)
    connected.store.clinics.mark_ok(clinic)
    control.arm(kind, endpoint=endpoint, count=count, nth=2 if kind == "row_changed" else 1)
    assets = _ASSETS.get(endpoint, _ASSETS[LISTING])
    if endpoint not in _ASSETS:
        control.arm("unauthorized", endpoint=LISTING)
    _naps["seconds"] = 0.7 if kind.startswith("connect_") and count else 0.0
    keys = frozenset(dg.AssetKey(asset.split("/")) for asset in assets)
    cell = PlannedRun(
        label="pull", job="clinic_daily", partition=clinic_partition(clinic.clinic_key, START), assets=keys
    )
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code, [(_, outcome)] = execute_runs(instance, [cell])
    _reset(connected)
    failed = instance.get_records_for_run(outcome.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    shown = "".join(str(one.event_log_entry.dagster_event.step_failure_data.error.message) for one in failed)  # type: ignore[union-attr]
    counts = outcome.materialized.get(assets[0], {})
    reason = f"{counts.get('outcome', '')}; {counts.get('reason') or ''}".replace("_", " ").rstrip("; ")
    return Told(code, said.getvalue(), shown, reason)


def _nap(_: float) -> None:
    time.sleep(_naps["seconds"])


def _reset(connected: Connected) -> None:
    """Nothing armed, the door open, no landed page of the pull before."""
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(Exception):
            connected.sandbox.control.disarm()
            break
        if time.monotonic() > deadline:
            raise AssertionError("The sandbox's door stays shut.")
        time.sleep(0.2)
    for frame in connected.settings.landing_dir.rglob("*.part*"):
        frame.unlink()


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """No waiting between attempts, short timeouts."""
    calm = partial(retry.RetryPolicy, sleep=_nap)
    quick = partial(resources._RunClient, connect_seconds=0.4, read_seconds=1.0, max_seconds=4.0)
    before = retry.TOKEN_POLICY.sleep
    object.__setattr__(retry.TOKEN_POLICY, "sleep", _nap)
    with (
        patch.object(session, "RetryPolicy", calm),
        patch.object(resources, "_RunClient", quick),
        patch.object(RequestBudget, "pause_requests", lambda self, seconds: None),
        patch.object(GrantRecords, "record_token_failure", lambda *_: None),
    ):
        yield
    object.__setattr__(retry.TOKEN_POLICY, "sleep", before)


def table(rows: list[Row]) -> str:
    """The table as it stands in the guide."""
    lines = ["| fault | where | once | if it stays: exit code and message |", "|---|---|---|---|"]
    lines += [f"| {_name(row)} | `{row.endpoint}` | {_brief(row.once)} | {_brief(row.always)} |" for row in rows]
    return "\n".join(lines)


def _name(row: Row) -> str:
    return f"`{row.kind}`: {re.sub('`', '', KINDS[row.kind])}"


def _brief(told: Told) -> str:
    # The request in brackets (method, address, status, X-Request-Id) is the same everywhere.
    text = re.sub(r" [(](GET|POST) http.*?[)][.]", " (...).", told.sentence if told.code else told.reason)
    return _stable(f"{told.code}: {text}" if told.code else text)


def _stable(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"http://127\.0\.0\.1:\d+", "SERVER", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)
    text = re.sub(r"\d+ bytes", "N bytes", text)
    return text.replace("|", "\\|")


def written() -> str:
    """The table that the guide has."""
    return GUIDE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Writes the table into the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    measured = []
    for row in rows():
        measured.append(row)
        sys.stderr.write(f"{row.kind} {row.endpoint}: {row.once.code} {row.always.code} {row.always.sentence}\n")
    GUIDE.write_text(f"{before}{BEGIN}\n{table(measured)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
