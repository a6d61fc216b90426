"""Runs a sandbox and the real command line against it, then reads the API plainly and compares.

What does not belong here: what rows should look like, printing.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fullscript_pipeline import clock
from fullscript_pipeline.sandbox.behaviour_switches import parse_variant_names
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline_tests.compare.clinic_rows import clinic_rows
from fullscript_pipeline_tests.compare.comparison import Compared, compare
from fullscript_pipeline_tests.compare.content_rows import Rows
from fullscript_pipeline_tests.compare.receiver import receiving
from fullscript_pipeline_tests.compare.region_rows import region_rows
from fullscript_pipeline_tests.compare.warehouse_rows import Api
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline

EXTRAS = (
    *("addresses", "templates", "similar_products", "product_search:a", "custom_dosages"),
    *("product_ingredients", "product_allergens", "product_supplement_types", "product_third_party_certifications"),
)


@dataclass(frozen=True)
class Plan:
    """How large a world, how many days between two pulls (0: one pull only), with which quirks."""

    patients: int = 60
    products: int = 120
    days: int = 3
    history_days: int = 90
    seed: int = 1
    quirks: str = ""


def compare_with_sandbox(directory: Path, plan: Plan) -> list[Compared]:
    """Every table after the last pull. Raises CalledProcessError when a pull fails."""
    sizes: dict[str, Any] = {"patients": plan.patients, "products": plan.products, "history_days": plan.history_days}
    with ExitStack() as opened:
        connected = opened.enter_context(connected_pipeline(directory, seed=plan.seed, quirks=plan.quirks, **sizes))
        os.environ["FULLSCRIPT_EXTRAS"] = ",".join(EXTRAS)
        # What nothing tells of is found by the daily share: with one day to a sweep it must all be there.
        os.environ["FULLSCRIPT_SWEEP_DAYS"] = "1"
        challenges = {name: str(app["webhook_challenge_token"]) for name, app in connected.sandbox.apps.items()}
        receiver = opened.enter_context(receiving(challenges))
        for server in challenges:
            connected.sandbox.control.set_webhook(server, f"{receiver}/{server}")
        _pull(directory)
        if plan.days:
            connected.sandbox.control.advance(days=plan.days)
            connected.set_clock()
            _pull(directory)
            # A product that no list holds is gone when its 404 still stands an hour later.
            os.environ["FULLSCRIPT_NOW"] = (clock.now() + timedelta(hours=2)).isoformat()
            _pull(directory)
        connected.sandbox.control.set_response_variants()
        expected = read_truth(connected)
        with Warehouse(connected.settings.warehouse_path).read() as con:
            return compare(con, expected, parse_variant_names(plan.quirks))


def read_truth(connected: Connected) -> Rows:
    """What every table should hold."""
    expected: Rows = {}
    by_region: dict[str, list[Api]] = {}
    variants: dict[str, set[str]] = {}
    with ExitStack() as opened:
        for slug, facts in connected.sandbox.clinics.items():
            region = str(facts["server"]).partition("-")[0]
            api = Api(opened.enter_context(connected.sandbox.client(slug)))
            by_region.setdefault(region, []).append(api)
            _add(expected, rows := clinic_rows(api, region, EXTRAS))
            named = variants.setdefault(region, set())
            named.update(row["variant_id"] for row in rows["recommendations"])
            named.update(row["variant_id"] for row in rows["order_line_items"] if row["line_type"] == "supplement")
        for region, apis in by_region.items():
            _add(expected, region_rows(apis, region, variants[region], EXTRAS))
    return expected


def _add(expected: Rows, rows: Rows) -> None:
    for table, found in rows.items():
        expected.setdefault(table, []).extend(found)


def _pull(directory: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "fullscript_pipeline", "pull"],
        check=True,
        capture_output=True,
        text=True,
        cwd=directory,
        env=os.environ | {"NO_COLOR": "1"},
    )
