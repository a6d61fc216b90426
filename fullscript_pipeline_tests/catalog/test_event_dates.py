"""Versions of products count from the event that told of them; what two days show is judged by what was known then."""

from datetime import date, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.catalog import build_catalog_changes, changes_between, coverage_between
from fullscript_pipeline.resources.events import EVENTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE
from fullscript_pipeline_tests.helpers.warehouse_loads import START, context, lines_of

Record = dict[str, Any]


def day(number: int) -> date:
    """The day that is so many after the first."""
    return START.date() + timedelta(days=number)


def product(ident: str = "p1", price: str = "10.00", **more: Any) -> Record:
    return {"id": ident, "name": "One", "variants": [{"id": f"{ident}-60", "sku": "S", "msrp": price}], **more}


class Region:
    """A region's catalog, looked at hour by hour through the real loader."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse

    def look(self, hour: int, *products: Record, resource: str = "products", build: bool = True) -> None:
        """A whole look at the catalog: what is missing is gone. `resource`: as in ops.pulls."""
        with self.warehouse.write() as con:
            load(con, PRODUCTS, lines_of(list(products)), context(hour), missing_among=EVERYTHING)
            con.execute(
                "INSERT INTO ops.pulls (region, day, resource, outcome, observed_at, finished_at, complete) "
                "VALUES ('us', ?, ?, 'loaded', ?, ?, true)",
                [context(hour).observed_at.date(), resource, *[context(hour).observed_at] * 2],
            )
        if build:
            self.build()

    def build(self) -> None:
        with self.warehouse.write() as con:
            build_catalog_changes(con, "us", time_zone=UTC_ZONE)

    def tell(self, hour: float, kind: str = "product.updated", variant: str = "p1-60") -> None:
        """An event as its detail tells it: of the product it names variants only; a creation is not nested."""
        told: Record = {"variants": [{"id": variant}]}
        data = told if kind == "product.created" else {"product": told}
        at = (START + timedelta(hours=hour)).isoformat()
        record = {"id": f"e{hour}", "type": kind, "created_at": at, "data": data}
        with self.warehouse.write() as con:
            load(con, EVENTS, lines_of([record]), context())

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.warehouse.read() as con:
            return con.execute(sql, list(values)).fetchall()

    def spans(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Columns, begin, end and when it was learned, in hours after the start."""
        hours = [f"epoch({one} - ?) / 3600" for one in ("valid_from", "valid_to", "known_at")]
        sql = f"SELECT {columns}, {', '.join(hours)} FROM history.{table} ORDER BY ALL"
        return self.rows(sql, START, START, START)

    def changes(self, first: int, last: int) -> list[tuple[Any, ...]]:
        with self.warehouse.read() as con:
            rows = changes_between(con, "us", day(first), day(last), UTC_ZONE)
        return [(row.entity_id, row.change, row.field, row.changed_on) for row in rows]

    def mart(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT entity_id, change, field, changed_on FROM marts.catalog_changes ORDER BY ALL")


@pytest.fixture
def region(tmp_path: Path) -> Region:
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [(files("fullscript_pipeline.catalog") / "sql" / "marts.sql").read_text(encoding="utf-8")])
    return Region(warehouse)


def test_a_change_counts_from_its_event_and_shows_on_the_day_it_was_seen(region: Region) -> None:
    region.look(6, product())
    region.look(30, product())
    for hour in (2, 20, 40, 41, 80):
        region.tell(hour)
    region.look(78, product(price="12.00"))
    assert region.spans("variants", "msrp_raw") == [("10.00", 6, 41, 6), ("12.00", 41, None, 78)]
    assert region.spans("products", "name") == [("One", 6, 41, 6), ("One", 41, None, 78)]
    assert region.mart() == [("p1-60", "changed", "msrp", day(1))]
    # Nobody knew on the second day: the look of that day still showed the old price.
    assert region.changes(0, 1) == []
    assert region.changes(1, 3) == region.changes(2, 3) == region.mart()


def test_an_event_before_the_last_look_did_not_tell_of_what_that_look_lacked(region: Region) -> None:
    region.look(6, product())
    region.tell(20)
    region.look(30, product())
    region.look(54, product(price="12.00"))
    assert region.spans("variants", "msrp_raw") == [("10.00", 6, 54, 6), ("12.00", 54, None, 54)]
    assert region.mart() == [("p1-60", "changed", "msrp", day(2))]


@pytest.mark.parametrize("resource", ["products_by_id", "products"])
def test_a_product_dates_from_its_creation_unless_a_whole_list_lacked_it_since(region: Region, resource: str) -> None:
    """Where the full list is refused, an event alone shows that a product is new and not merely unknown."""
    region.tell(1, "product.created", "p1-60")
    region.look(6, product(), resource=resource)
    region.tell(30, "product.created", "p2-60")
    region.look(54, product(), resource=resource)
    region.tell(60, "product.created", "p3-60")
    region.look(78, product(), product("p2"), product("p3"), resource=resource)
    begin = {ident: first for ident, first, *_ in region.spans("products", "product_id")}
    assert begin == {"p1": 6, "p2": 30 if resource == "products_by_id" else 78, "p3": 60}
    added = {ident: on for ident, change, _, on in region.mart() if change == "added"}
    assert added["p3-60"] == added["p3"] == day(2)
    assert added["p2"] == (day(1) if resource == "products_by_id" else day(3))
    assert "p1" not in added
    with region.warehouse.read() as con:
        seen = [coverage_between(con, "us", day(2), day(number), UTC_ZONE).products for number in (2, 3)]
    assert seen == [1, 3], "what an event dates back was not seen before it was seen"


def test_returned_products_and_new_variants_are_dated_too_and_removals_when_noticed(region: Region) -> None:
    more: Record = {"variants": [{"id": "p1-60", "sku": "S"}, {"id": "p1-90", "sku": "T"}]}
    region.look(6, product(), product("p2"))
    region.tell(20, variant="p2-60")
    region.look(30, product())
    region.tell(40)
    region.tell(41, variant="p2-60")
    region.look(54, product(**more), product("p2"))
    assert region.mart() == [
        ("p1-60", "changed", "msrp", day(1)),
        ("p1-90", "added", None, day(1)),
        ("p2", "removed", None, day(1)),
        ("p2", "returned", None, day(1)),
        ("p2-60", "removed", None, day(1)),
        ("p2-60", "returned", None, day(1)),
    ]
    gone = [span for span in region.spans("products", "product_id, removed_at IS NULL") if span[0] == "p2"]
    assert gone == [("p2", False, 30, 41, 30), ("p2", True, 6, 30, 6), ("p2", True, 41, None, 54)]


def test_the_same_again_changes_nothing(region: Region) -> None:
    region.look(6, product())
    region.tell(20)
    for hour in (30, 30, 54):
        region.look(hour, product(price="12.00"))
        region.tell(20)
    assert region.spans("variants", "msrp_raw") == [("10.00", 6, 20, 6), ("12.00", 20, None, 30)]
    assert region.mart() == [("p1-60", "changed", "msrp", day(0))]


Step = st.tuples(
    st.integers(1, 40),
    st.sampled_from(["1.00", "2.00", "3.00", None]),
    st.lists(st.floats(0.1, 60), max_size=3),
    st.sampled_from(["product.updated", "product.created"]),
)


@pytest.mark.check_all
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(Step, min_size=1, max_size=6))
def test_whatever_events_say_versions_are_gapless_and_days_show_what_was_seen(
    region: Region, steps: list[tuple[int, str | None, list[float], str]]
) -> None:
    """Prices (None: the product is gone) look by look, with events anywhere; against the looks themselves."""
    with region.warehouse.write() as con:
        for table in ("history.products", "history.variants", "core.events", "ops.pulls", "ops.held_removals"):
            con.execute(f"DELETE FROM {table}")
    hour = 0
    seen: dict[date, str | None] = {}
    for number, (hours, price, told, kind) in enumerate([(1, "1.00", [], "product.updated"), *steps]):
        hour += hours
        for ago in told:
            region.tell(hour - ago + number / 1000, kind)
        region.look(hour, *([product(price=price)] if price else []), product("p0"), build=False)
        seen[context(hour).observed_at.date()] = price
    region.build()
    for table, key in (("products", "product_id"), ("variants", "variant_id")):
        wrong = f"""SELECT * FROM (SELECT *, lead(valid_from) OVER one AS following, lead(known_at) OVER one AS later
            FROM history.{table} WINDOW one AS (PARTITION BY {key} ORDER BY valid_from))
            WHERE valid_to IS DISTINCT FROM following OR valid_from >= valid_to OR known_at < valid_from
            OR known_at > following"""
        assert region.rows(wrong) == []
    days = list(seen)
    for first, last in pairwise(days):
        with region.warehouse.read() as con:
            rows = changes_between(con, "us", first, last, UTC_ZONE)
        mine = [(row.change, row.old_value, row.new_value) for row in rows if row.entity == "variant"]
        assert mine == _difference(seen[first], seen[last])
        sql = "SELECT change, old_value, new_value FROM marts.catalog_changes WHERE entity = 'variant' AND seen_on = ?"
        assert region.rows(sql, last) == mine
        assert all(row.changed_on <= last for row in rows)


def _difference(old: str | None, new: str | None) -> list[tuple[str, str | None, str | None]]:
    if old == new:
        return []
    if old and new:
        return [("changed", old, new)]
    return [("removed" if old else "returned", None, None)]
