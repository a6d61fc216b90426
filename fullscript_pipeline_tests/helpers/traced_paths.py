"""What records pass on their way, traced in a sandbox: an order to its row, a webhook to a page, a price to a digest.

What does not belong here: figures of the source (`source_figures`).
"""

import json
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest import mock

import dagster as dg
import httpx

from fullscript_pipeline import clock
from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs
from fullscript_pipeline.orchestration.assets import catalog
from fullscript_pipeline.orchestration.automation import run_config
from fullscript_pipeline.orchestration.runtime import add_clinic_partitions, clinic_partition, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import region_partition
from fullscript_pipeline.refresh import ingest_inbox, request_for_due_events
from fullscript_pipeline.warehouse import attachment
from fullscript_pipeline.webhooks import WebhookEndpoint, serving
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.source_figures import NAME, ROOT
from fullscript_pipeline_tests.helpers.vendor_client import CHALLENGE, KEY, signed

_PACKAGE = f"{ROOT / NAME}/"
_SANDBOX = f"{ROOT / NAME / 'sandbox'}/"


@dataclass
class TracedPath:
    """The package's functions in the order in which each was first called, the sandbox's aside.

    With the thread that called it: a reader follows one thread after the other, however the machine mixes them.
    """

    functions: dict[CodeType, int] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """The files in their order, each as often as the path comes to it."""
        threads = list(dict.fromkeys(self.functions.values()))
        in_order = sorted(self.functions, key=lambda code: threads.index(self.functions[code]))
        files = [str(Path(code.co_filename).relative_to(_PACKAGE)) for code in in_order]
        return [file for place, file in enumerate(files) if place == 0 or files[place - 1] != file]

    @property
    def rooms(self) -> list[str]:
        return sorted({file.split("/")[0].removesuffix(".py") for file in self.files if "/" in file})

    @property
    def returns(self) -> int:
        """How often it comes back to a file that it had left."""
        return len(self.files) - len(set(self.files))

    def __str__(self) -> str:
        return (
            f"{len(self.functions)} functions, {len(set(self.files))} files, {len(self.rooms)} rooms, "
            f"{self.returns} returns to a file already left ({', '.join(self.rooms)})"
        )


@contextmanager
def traced_into(path: TracedPath, *entries: str) -> Iterator[None]:
    """Follows the calls of this thread that functions of these files of the package make (none given: all calls), and
    those of the threads that are begun meanwhile: what a run does around its steps is not on a record's way."""
    files = {_PACKAGE + entry for entry in entries}
    this_thread = threading.current_thread()

    def note_call(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or not _is_counted(frame.f_code):
            return
        if not files or threading.current_thread() is not this_thread or _is_below(frame, files):
            path.functions.setdefault(frame.f_code, threading.get_ident())

    threading.setprofile(note_call)
    sys.setprofile(note_call)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _is_below(frame: FrameType | None, files: Collection[str]) -> bool:
    """Whether it is of one of these files, or called by a function of theirs, over whatever others."""
    while frame is not None:
        if frame.f_code.co_filename in files and frame.f_code.co_name != "<module>":
            return True
        frame = frame.f_back
    return False


def _is_counted(code: CodeType) -> bool:
    """Whether it is a function of the package with a name, and not the sandbox's."""
    file = code.co_filename
    return file.startswith(_PACKAGE) and not file.startswith(_SANDBOX) and not code.co_name.startswith("<")


class TracedClinic:
    """A connected clinic after its first day; each way is followed on the next."""

    def __init__(self, clinic: LiveClinic) -> None:
        self.clinic = clinic
        self.instance = open_instance(clinic.connected.settings)
        add_clinic_partitions(self.instance, clinic.store)
        self._run("catalog_daily")
        self._run("clinic_daily")
        clinic.connected.sandbox.control.advance(days=1)
        clinic.connected.set_clock()

    def _run(self, job: str, *tables: str, config: Mapping[str, Any] | None = None) -> None:
        settings, of = self.clinic.connected.settings, self.clinic.clinic
        day = clock.today(settings.time_zone)
        partitions = {
            "catalog_daily": region_partition(of.region, day),
            "clinic_daily": clinic_partition(of.clinic_key, day),
        }
        assets = frozenset(dg.AssetKey(table.split("/")) for table in tables) or None
        run = PlannedRun(label=job, job=job, partition=partitions.get(job), assets=assets, run_config=config)
        code, _ = execute_runs(self.instance, [run])
        if code:
            raise RuntimeError(f"{job} ended with exit code {code}")

    def order_to_row(self) -> TracedPath:
        """An order that was placed: the pull of its asset's step."""
        self.clinic.order()
        path = TracedPath()
        with traced_into(path, "extraction/pulls/orders.py"):
            self._run("clinic_daily", "core/orders", "core/order_line_items")
        return path

    def webhook_to_page(self) -> TracedPath:
        """A plan that was changed: the delivery, the inbox, the refresh that fetches the plan, and the page."""
        (plan, *_) = self.clinic.active_plans()
        event_id = self.clinic.change_plan(plan, personal_message="Twice a day.")
        body = json.dumps({"event_payload": {"event": self.clinic.payload(event_id)}}).encode()
        path = TracedPath()
        self._deliver(body, path)
        with traced_into(path):
            ingest_inbox(self.clinic.store)
        due = request_for_due_events(self.clinic.store, self.clinic.clinic)
        if due is None:
            raise RuntimeError("the inbox brought no event")
        with traced_into(path, "refresh/event_handling.py", "maintenance/page_rebuild.py"):
            self._run("clinic_refresh", config=run_config(due))
        return path

    def _deliver(self, body: bytes, path: TracedPath) -> None:
        endpoint = WebhookEndpoint(
            server=self.clinic.clinic.server, path="/hooks/secret/traced", challenge=CHALLENGE, keys=(KEY.encode(),)
        )
        with traced_into(path), serving([endpoint], self.clinic.store, lambda _: None) as base_url:
            httpx.post(f"{base_url}{endpoint.path}", content=body, headers=signed(body)).raise_for_status()

    def price_to_digest(self) -> TracedPath:
        """A price that moved: the pull of the region's catalog, its changes, and the digest."""
        path = TracedPath()
        steps = (catalog.products, catalog.catalog_changes, catalog.catalog_digest)
        tables = [key.to_user_string() for step in steps for key in step.keys]
        with traced_into(path, "extraction/pulls/catalog.py", "orchestration/assets/digest_rebuild.py"):
            self._run("catalog_daily", *tables)
        return path


@contextmanager
def traced_clinic() -> Iterator[TracedClinic]:
    """In a directory of its own, with a sandbox in this process.

    The warehouse file stays attached between two uses, so that a way does not depend on the machine's pace.
    """
    with (
        mock.patch.object(attachment, "IDLE_SECONDS", 3600.0),
        tempfile.TemporaryDirectory() as folder,
        open_live_clinic(Path(folder), all_clinics=1, patients=5, products=20, pulled=False) as clinic,
    ):
        yield TracedClinic(clinic)


WAYS: dict[str, Callable[[TracedClinic], TracedPath]] = {
    "one order, from the HTTP answer to its row": TracedClinic.order_to_row,
    "one webhook, to the page": TracedClinic.webhook_to_page,
    "one price, to the digest": TracedClinic.price_to_digest,
}
