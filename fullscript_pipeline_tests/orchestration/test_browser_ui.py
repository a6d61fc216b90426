"""The Dagster UI as a person meets it, in a real Chromium: the graph, an asset, a check, a sensor, a run, a launch."""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from urllib.parse import quote

import dagster as dg
import httpx
import pytest
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.test_utils import freeze_time

from fullscript_pipeline.cli.subprocesses import run_child
from fullscript_pipeline.orchestration.assets import VENDOR_DOCS
from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.in_process_runs import Outcome, run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, region_partition
from fullscript_pipeline_tests.helpers.browser import BROWSER, DRIVER, MISSING, Browser, browser
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.stub_server import Reply, odd_server
from fullscript_pipeline_tests.helpers.ui_links import ui_link
from fullscript_pipeline_tests.helpers.wait_until import wait

pytestmark = [
    pytest.mark.check_all,
    pytest.mark.timeout(600),
    pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING),
]
GROUPS = ("catalog", "clinical", "commerce", "labs", "events", "adherence", "reports", "operations")
# The dialog that asks for partitions.
DIALOG = "[class*=ialog] button"
UP_WITHIN_SECONDS = 240
EVALUATED_WITHIN_SECONDS = 400
FIRST, DAY = date(2026, 11, 22), date(2026, 11, 23)


@dataclass
class Page:
    """The UI over a clinic whose day has been pulled."""

    browser: Browser
    url: str
    instance: dg.DagsterInstance
    clinic: str
    pulled: Outcome
    refused: Outcome
    past: Outcome
    # An asset whose last materialization is older than its policy allows, and one that will be soon.
    late: str
    almost_late: str

    def open(self, path: str) -> Browser:
        self.browser.open(self.url + path)
        return self.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("ui")
    console_logging.quiet()
    with connected_pipeline(folder, clinics=1, patients=8, products=20) as connected:
        instance = open_instance(connected.settings)
        add_clinic_partitions(instance, connected.store)
        (clinic,) = connected.store.clinics.all()
        key = clinic.clinic_key
        # A day later: the cell of the first day was never filled, and is over.
        connected.sandbox.control.advance(days=1)
        connected.set_clock()
        past = run_job(instance, "clinic_daily", partition=clinic_partition(key, FIRST))
        os.environ["FULLSCRIPT_NOW"] = f"{DAY}T00:00:01Z"
        refused = run_job(instance, "clinic_daily", partition=clinic_partition(key, DAY))
        connected.set_clock()
        pulled = run_job(instance, "clinic_daily", partition=clinic_partition(key, DAY))
        assert run_job(instance, "catalog_daily", partition=region_partition("us", DAY)).failures == ()
        late, almost_late = _materialize_earlier(instance, hours=31), _materialize_earlier(instance, hours=27)
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, "-m", "fullscript_pipeline", "ui", "--port", str(port)]
        with (folder / "ui.log").open("w") as log, run_child(command, dict(os.environ), stdout=log, stderr=log):
            _wait_until_up(url)
            rule = "--host-resolver-rules=MAP evil.example 127.0.0.1"
            with browser(folder / "profile", 1280, 800, rule) as opened:
                opened.open(ui_link(connected.settings, url))
                yield Page(opened, url, instance, key, pulled, refused, past, late, almost_late)
        instance.dispose()


def _materialize_earlier(instance: dg.DagsterInstance, hours: int) -> str:
    """The path of an asset that no job of these tests makes, materialized so long ago."""
    name = {31: "templates", 27: "addresses"}[hours]
    with freeze_time(datetime.now(UTC) - timedelta(hours=hours)):
        instance.report_runless_asset_event(dg.AssetMaterialization(["core", name]))
    return f"/assets/core/{name}"


def _wait_until_up(url: str) -> None:
    deadline = time.monotonic() + UP_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/server_info", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError(f"The UI is not up after {UP_WITHIN_SECONDS} s.")


def test_the_graph_reads_like_the_mission(page: Page) -> None:
    page.open("/asset-groups").wait_for("Global asset lineage", *GROUPS)


def test_an_asset_says_what_it_is_where_it_comes_from_and_what_is_in_it(page: Page) -> None:
    page.open("/assets/core/orders").wait_for(
        "GET /clinic/orders", "patients:order_history", "PHI: yes", "data-engineering", "completed_on", "orders.py"
    )


def test_an_assets_page_says_how_late_it_may_be(page: Page) -> None:
    """The daemon evaluates the policy twice a minute, once it is up: beside other work that takes minutes."""
    page.open("/assets/core/orders").wait_for("Freshness policy", "Passing", seconds=EVALUATED_WITHIN_SECONDS)


def test_a_late_assets_page_says_so(page: Page) -> None:
    page.open(page.late).wait_for("31 hours ago", "Freshness policy", "Failed", seconds=EVALUATED_WITHIN_SECONDS)
    window = page.open(page.almost_late)
    window.wait_for("27 hours ago", "Freshness policy", "Warning", seconds=EVALUATED_WITHIN_SECONDS)


def test_an_assets_columns_say_which_columns_they_are_made_from(page: Page) -> None:
    """Dagster's own view of column lineage is not in its open-source UI; the metadata is there for other programs."""
    window = page.open("/assets/marts/adherence")
    window.wait_for("last_order_on", "Made from core.orders.completed_on", "core.order_line_items.quantity")
    key = dg.AssetKey(["marts", "adherence"])
    event = page.instance.get_latest_materialization_event(key)
    assert event is not None and event.asset_materialization is not None
    assert "dagster/column_lineage" in event.asset_materialization.metadata


def test_links_lead_to_the_digest_the_reference_and_the_vendors_documentation(page: Page) -> None:
    window = page.open(f"/assets/reports/catalog_digest?view=partitions&default_range=all&partition={DAY}%7Cus")
    window.wait_for("page_link")
    window.follow(f"/pages/catalog/us/{DAY}.html")
    window.wait_for("Catalog changes", "All days")
    window.follow("/pages/catalog/us/brands.html")
    window.wait_for("Brands")
    page.open("/assets/core/orders").wait_for("vendor_docs")
    window.follow("/pages/reference#core.orders")
    window.wait_for("Reference of tables and endpoints", "/clinic/orders", "patients:order_history", "completed_on")
    page.open("/assets/core/orders").wait_for("vendor_docs", VENDOR_DOCS)
    window.follow(VENDOR_DOCS)  # where a test runs, nobody may answer there
    assert window.address.startswith((VENDOR_DOCS, "chrome-error:")), window.address


def test_a_clinics_page_is_a_path_that_the_ui_does_not_serve(page: Page) -> None:
    """Who may use the UI need not be allowed to read about patients."""
    window = page.open(f"/assets/reports/adherence?view=partitions&default_range=all&partition={page.clinic}%7C{DAY}")
    text = window.wait_for("patient_pages", f"reports/clinics/{page.clinic}/index.html")
    assert "page_link" not in text
    page.open(f"/pages/clinics/{page.clinic}/index.html").wait_for("hold health data")


def test_a_cell_says_whose_rows_it_has_and_where_its_columns_are_from(page: Page) -> None:
    window = page.open(f"/assets/marts/adherence?view=partitions&default_range=all&partition={page.clinic}%7C{DAY}")
    window.wait_for("rows_of_clinic", "late", "never_ordered", page.clinic)


def test_a_check_says_what_to_do_how_it_ended_and_for_which_clinic(page: Page) -> None:
    window = page.open("/assets/marts/adherence?view=checks")
    window.wait_for("figures_can_be_true", "What to do:", "passed")
    window.wait_for(f"{page.clinic}: No figure is impossible.")


def test_a_sensor_says_what_it_saw(page: Page) -> None:
    path = "/locations/fullscript_pipeline/sensors/connected_clinics_sensor"
    page.open(path).wait_for("Adds partitions for every newly connected clinic", "running")
    page.open("/locations/fullscript_pipeline/sensors/old_runs_sensor").wait_for("FULLSCRIPT_KEEP_RUNS_DAYS", "running")


def test_a_failed_runs_first_line_says_what_to_do(page: Page) -> None:
    (failure,) = page.refused.failures
    page.open(f"/runs/{page.refused.run_id}").wait_for(
        "failure", "FULLSCRIPT_NOW", f"\nfailed: {failure.sentence[:60]}"
    )


def test_a_past_cell_leaves_no_red_and_says_why(page: Page) -> None:
    assert page.past.failures == ()
    page.open(f"/runs/{page.past.run_id}").wait_for("success", "No steps have errored", "asset_observation")
    window = page.open("/assets/core/clinics?view=events&partition=" + quote(f"{page.clinic}|{FIRST}"))
    window.wait_for("nothing was made", "Lists show the present")
    run = page.instance.get_run_by_id(page.past.run_id)
    assert run is not None
    assert run.tags["fullscript/clinic"] == page.clinic
    assert run.tags["fullscript/closed_day"] == FIRST.isoformat(), "its success is no recovery"


def test_a_partition_launched_from_the_page_succeeds(page: Page) -> None:
    window = page.open("/assets/core/clinics")
    window.wait_for("Materialize", "Columns")
    window.click("Materialize")
    text = window.wait_for("Partition selection", FIRST.isoformat())
    assert "2024" not in text, "days before the first connection are offered"
    time.sleep(1)  # the list of clinics arrives after the dialog
    window.click("All", DIALOG)
    window.click("Latest", DIALOG)
    window.wait_for("1 partition")
    window.click("Launch", DIALOG)
    run = _launched(page)
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert run.tags["dagster/partition/day"] == DAY.isoformat()
    assert run.tags["fullscript/clinic"] == page.clinic
    page.open(f"/runs/{run.run_id}").wait_for("success", "core / clinics")


def test_a_backfill_over_a_day_that_is_over_ends_green(page: Page) -> None:
    """Every cell that the dialog offers is chosen. The first day's is over: its run makes nothing and says why."""
    window = page.open("/assets/core/clinics")
    window.wait_for("Materialize", "Columns")
    window.click("Materialize")
    window.wait_for("Partition selection", FIRST.isoformat())
    time.sleep(1)  # the list of clinics arrives after the dialog
    window.click("All", DIALOG)
    window.click_last("All", DIALOG)
    window.wait_for("2 partitions")
    window.click("Launch backfill", DIALOG)
    deadline = time.monotonic() + 240
    while not (ended := [found for found in page.instance.get_backfills() if found.backfill_end_timestamp]):
        assert time.monotonic() < deadline, page.browser.text()[:1500]
        time.sleep(1)
    backfill_id = ended[0].backfill_id
    # First Dagster calls it failed; closed_backfills_sensor looks every 15 s.
    assert wait(lambda: _status(page, backfill_id) is BulkActionStatus.COMPLETED_SUCCESS, 90), _status(
        page, backfill_id
    )
    assert "100% completed" in page.open(f"/runs/b/{backfill_id}").wait_for("core / clinics")
    runs = page.instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id}))
    assert {(run.status.value, run.tags["fullscript/clinic"]) for run in runs} == {("SUCCESS", page.clinic)}
    assert sorted(run.tags.get("fullscript/closed_day", "made") for run in runs) == [FIRST.isoformat(), "made"]
    page.open("/runs").wait_for("backfill", "core / clinics", "success")


def _status(page: Page, backfill_id: str) -> BulkActionStatus | None:
    backfill = page.instance.get_backfill(backfill_id)
    return backfill.status if backfill else None


def test_other_regions_and_days_do_not_make_a_cell_look_out_of_date(page: Page) -> None:
    """The catalog was pulled after the clinic's day, whose cell stays as true as it was."""
    for asset, cell, number in (
        ("marts/adherence", f"{page.clinic}%7C{DAY}", "rows"),
        ("reports/catalog_digest", f"{DAY}%7Cus", "products_seen"),
    ):
        text = page.open(f"/assets/{asset}?view=partitions&default_range=all&partition={cell}").wait_for(number)
        assert "unsynced" not in text


def _launched(page: Page) -> dg.DagsterRun:
    """The run that was launched from the page, at its end."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        # What a person launches from an asset is of no job of ours.
        for run in page.instance.get_runs(filters=dg.RunsFilter(job_name="__ASSET_JOB")):
            if run.is_finished:
                return run
        time.sleep(0.5)
    raise AssertionError(f"No launched run has ended: {page.browser.text()[:1500]}")


WIPE = 'mutation{wipeAssets(assetPartitionRanges:[{assetKey:{path:["core","clinics"]}}]){__typename}}'
# What a page of another site can try: an image, a fetch with the cookies, a WebSocket, at last a form.
ATTACK = """<!doctype html><title>loading</title><body>
<img src="{ui}/graphql?query={get}"><img src="{ui}/graphql/?query={get}">
<form action="{ui}/graphql" method="post" enctype="text/plain">
<input name='{{"query": {post}, "x": "' value='"}}'></form>
<script>
const said = [];
const done = word => {{ said.push(word); if (said.length == 3) document.title = said.sort().join(" "); }};
fetch("{ui}/graphql", {{method: "POST", mode: "no-cors", credentials: "include", body: '{{"query": {post}}}',
    headers: {{"Content-Type": "text/plain"}}}}).then(() => done("fetched"), () => done("fetched"));
fetch("{ui}/graphql?query={get}", {{mode: "no-cors", credentials: "include"}})
    .then(() => done("got"), () => done("got"));
const socket = new WebSocket("{ui}/graphql".replace("http", "ws"), "graphql-ws");
socket.onopen = () => done("OPEN"); socket.onerror = () => done("socket-refused");
</script>"""


@pytest.mark.parametrize("site", ["http://127.0.0.1:{port}", "http://evil.example:{port}"])
def test_a_page_of_another_site_changes_nothing(page: Page, site: str) -> None:
    """The user is signed in, and visits it: another port of this machine is even the same site."""
    key = dg.AssetKey(["core", "clinics"])
    before = page.instance.get_latest_materialization_event(key)
    assert before is not None
    body = ATTACK.format(ui=page.url, get=quote(WIPE), post=json.dumps(WIPE).replace("'", "&#39;"))
    with odd_server(lambda seen: Reply(body=body.encode(), headers={"Content-Type": "text/html"})) as server:
        window = page.browser
        window.open(site.format(port=server.url.rpartition(":")[2]))
        deadline = time.monotonic() + 30
        while (title := str(window.run("return document.title"))) == "loading" and time.monotonic() < deadline:
            time.sleep(0.2)
        assert title == "fetched got socket-refused"
        window.run("document.forms[0].submit()")
        window.wait_for("Another site asked for it.")
    assert page.instance.get_latest_materialization_event(key) == before
    # The name of another site, bound to this machine by its owner: neither the page nor what it asks comes through.
    window.open(f"http://evil.example:{page.url.rpartition(':')[2]}/")
    window.wait_for("not one of the UI's")
    # And the same from a page of the UI itself does what it says: the attack was a real one.
    page.open("/").wait_for("deployment")
    wiped = window.run(
        "const done = new XMLHttpRequest(); done.open('POST', '/graphql', false);"
        "done.setRequestHeader('Content-Type', 'application/json');"
        "done.send(JSON.stringify({query: arguments[0]})); return done.responseText",
        WIPE.replace("clinics", "staff"),
    )
    assert "AssetWipeSuccess" in wiped
