"""The change table against the sandbox's own script: every change it made appears exactly once, and nothing else.

The sandbox's world is a function of its seed, so the same world is made a second time here and lived day by day beside
the server; what differs between two of its days is the script. The pipeline sees it over HTTP only.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession, open_session
from fullscript_pipeline.catalog import build_catalog_changes, changes_between, rebuild_start
from fullscript_pipeline.catalog.entities import DEFAULT_ENTITIES
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.pulls import catalog, clinic, missing_variants, treatment_plans
from fullscript_pipeline.extraction.pulls.product_events import pull_product_events
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.sandbox.behaviour_switches import EXCLUSIVE_VARIANTS, RESPONSE_VARIANTS
from fullscript_pipeline.sandbox.day_simulator import make_world, simulate_until
from fullscript_pipeline.sandbox.world import Catalog
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.sandbox_server import START

SIZES: dict[str, Any] = {"patients": 6, "products": 40, "history_days": 20}
DAYS, CLINICS_ON = 5, 3
PRODUCT_FIELDS = ("name", "description_html")
VARIANT_FIELDS = ("sku", "primary", "units", "unit_of_measure", "availability", "status", "upc", "msrp", "supplier_sku")
# The script compares by the world's own ids; of rivals only one may be on.
NOT_TOGETHER = {"other_ids", *(name for rivals in EXCLUSIVE_VARIANTS for name in rivals[1:])}
Fact = tuple[Any, ...]


class Script:
    """The sandbox's world, lived here: what every day's catalog is."""

    def __init__(self) -> None:
        self.world = make_world(1, START, clinics=3, **SIZES)
        self.catalogs: dict[tuple[str, date], Catalog] = {}
        self.tallies: dict[str, dict[str, int]] = {"us": {}, "ca": {}}
        self._keep()

    def live(self) -> None:
        for name, tally in simulate_until(self.world, self.world.day + timedelta(days=1)).items():
            if name in self.tallies:
                mine = self.tallies[name]
                mine.update({key: mine.get(key, 0) + count for key, count in tally.items()})
        self._keep()

    def _keep(self) -> None:
        for region, one in self.world.catalogs.items():
            self.catalogs[region, self.world.day] = deepcopy(one)

    def changes(self, region: str, day: date, known: dict[str, bool], *, whole: bool) -> set[Fact]:
        """What `day` changed on what could be seen: products known the day before (id: still there), and those that
        came onto a shelf, or (`whole`: the full list may be read) anywhere.
        """
        old, new = self.catalogs[region, day - timedelta(days=1)], self.catalogs[region, day]
        facts: set[Fact] = set()
        for ident, brand in new.vocabularies["brands"].items():
            before = old.vocabularies["brands"][ident]
            facts |= _differences("brand", ident, before, brand, ("name", "prefix", "status"))
        for ident in {ident for ident, there in known.items() if there} & old.products.keys():
            was, now = old.products[ident], new.products.get(ident)
            if now is None:
                facts |= _presence("removed", was)
                continue
            facts |= _differences("product", ident, was, now, PRODUCT_FIELDS)
            moved = _differences("product", ident, was["dosage"], now["dosage"], tuple(now["dosage"]))
            facts |= {(*fact[:3], f"dosage.{fact[3]}", *fact[4:]) for fact in moved}
            before = {one["id"]: one for one in was["variants"]}
            for one in now["variants"]:
                if one["id"] in before:
                    facts |= _differences("variant", one["id"], before[one["id"]], one, VARIANT_FIELDS)
                else:
                    facts |= {("variant", one["id"], "added", None, None, None)}
        for ident in new.products.keys() - old.products.keys():
            if whole or new.topics[ident]:
                facts |= _presence("returned" if ident in known else "added", new.products[ident])
        return facts


def _presence(change: str, product: Any) -> set[Fact]:
    ids = {("product", product["id"]), *(("variant", one["id"]) for one in product["variants"])}
    return {(*one, change, None, None, None) for one in ids}


def _differences(entity: str, ident: str, old: Any, new: Any, fields: tuple[str, ...]) -> set[Fact]:
    pairs = {field: (_text(old[field]), _text(new[field])) for field in fields}
    return {(entity, ident, "changed", field, *pair) for field, pair in pairs.items() if pair[0] != pair[1]}


def _text(value: Any) -> str | None:
    """As the change table writes it; "" and null are the same nothing."""
    return str(value).lower() if isinstance(value, bool) else str(value) if value not in (None, "") else None


class Follower:
    """The pipeline: pulls the catalog of each region, daily, and the clinics on one day."""

    def __init__(self, connected: Connected) -> None:
        self.connected = connected
        self.warehouse = open_warehouse(load_settings())

    def pull(self, *, clinics: bool) -> None:
        settings, store = self.connected.settings, self.connected.store
        for region in ("us", "ca"):
            with ExitStack() as opened:
                mine = [one for one in store.clinics.all() if one.region == region]
                sessions = [opened.enter_context(open_session(settings, store, one)) for one in mine]
                for session in sessions:
                    clinic.pull_clinic(self._target(session.clinic.server, region, session.clinic), session)
                self._pull_region(region, sessions)
                for session in sessions if clinics else []:
                    self._pull_clinic(session)

    def _pull_region(self, region: str, sessions: list[ClinicSession]) -> None:
        target = self._target(sessions[0].clinic.server, region, None)
        for table in catalog.REFERENCE_LISTS:
            catalog.pull_reference_list(target, sessions, table)
        heard = pull_product_events(target, sessions, self.connected.store)
        catalog.pull_products(target, sessions)
        heard.close_events(self.connected.store, target.day.isoformat())
        with self.warehouse.write() as con:
            since = rebuild_start(con, region, clock.today(UTC_ZONE), UTC_ZONE)
            build_catalog_changes(con, region, time_zone=UTC_ZONE, since=since)

    def _pull_clinic(self, session: ClinicSession) -> None:
        """What leads to products that no category shows."""
        target = self._target(session.clinic.server, session.clinic.region, session.clinic)
        clinic.pull_patients(target, session)
        treatment_plans.pull_plans(target, session, [])
        missing_variants.pull_unknown_variants(target, session)

    def _target(self, server: str, region: str, of: Any) -> Target:
        day = clock.today(UTC_ZONE)
        return Target(
            warehouse=self.warehouse,
            landing_dir=self.connected.settings.landing_dir,
            encryption_key=None,
            server=server,
            region=region,
            day=day,
            run_id="run",
            clinic=of,
        )

    def known(self, region: str) -> dict[str, bool]:
        """Every product ever seen, and whether it is there."""
        sql = "SELECT product_id, removed_at IS NULL FROM core.products WHERE region = ?"
        with self.warehouse.read() as con:
            return dict(con.execute(sql, [region]).fetchall())

    def found(self, region: str, first: date, last: date) -> list[Fact]:
        with self.warehouse.read() as con:
            rows = changes_between(con, region, first, last, UTC_ZONE, include_cosmetic=True)
        return [(row.entity, row.entity_id, row.change, row.field, row.old_value, row.new_value) for row in rows]

    def in_mart(self, region: str) -> list[Fact]:
        sql = """SELECT seen_on, entity, entity_id, change, field, old_value, new_value FROM marts.catalog_changes
            WHERE region = ? AND entity IN ?"""
        with self.warehouse.read() as con:
            return con.execute(sql, [region, list(DEFAULT_ENTITIES)]).fetchall()


@pytest.fixture(params=["plain", "faults", "quirks"])
def connected(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connected]:
    """A connected sandbox: as it is, with 5 % of its answers spoilt, or with every quirk that leaves ids alone."""
    with connected_pipeline(tmp_path, **SIZES) as made:
        if request.param == "quirks":
            made.sandbox.control.set_response_variants(
                *(name for name in RESPONSE_VARIANTS if name not in NOT_TOGETHER)
            )
        if request.param == "faults":
            for seed, kind in enumerate(("http_500", "truncated_json", "too_many_requests_seconds")):
                made.sandbox.control.arm(kind, probability=0.017, count=None, seed=seed, method="GET", seconds=0)
        yield made


@pytest.mark.check_all
@pytest.mark.timeout(600)
def test_every_scripted_change_appears_once_and_nothing_else(connected: Connected) -> None:
    script, follower = Script(), Follower(connected)
    follower.pull(clinics=False)
    expected: dict[str, list[Fact]] = {"us": [], "ca": []}
    for number in range(1, DAYS + 1):
        known = {region: follower.known(region) for region in expected}
        connected.sandbox.control.advance(days=1)
        connected.set_clock()
        script.live()
        day = script.world.day
        follower.pull(clinics=number == CLINICS_ON)
        # A product that no list holds is gone when its 404 still stands an hour later.
        os.environ["FULLSCRIPT_NOW"] = (clock.now() + timedelta(hours=2)).isoformat()
        follower.pull(clinics=False)
        for region in expected:
            scripted = script.changes(region, day, known[region], whole=region == "ca")
            found = follower.found(region, day - timedelta(days=1), day)
            assert len(found) == len(set(found))
            assert set(found) == scripted, (region, day)
            expected[region] += [(day, *fact) for fact in scripted]
    for region, facts in expected.items():
        mart = follower.in_mart(region)
        assert len(mart) == len(facts)
        assert set(mart) == set(facts)
    assert {"added", "removed", "changed"} <= {fact[3] for fact in expected["us"]}
    # Where the whole list may be read, what was counted while it was done is what is found.
    moved, tally = [fact[4] for fact in expected["ca"]], script.tallies["ca"]
    assert moved.count("msrp") == tally["prices_moved"] > 0
    assert moved.count("availability") == tally["availability_flipped"] > 0
    assert moved.count("description_html") == tally["descriptions_edited"] > 0
    whole = [fact[1:4:2] for fact in expected["ca"]]
    # What was removed before the first pull and is brought back now is new to everybody who looks.
    came = whole.count(("product", "added")) + whole.count(("product", "returned"))
    assert came == tally["products_added"] + tally.get("products_returned", 0) > 0
    assert whole.count(("product", "removed")) == tally["products_removed"] > 0
