"""A variant that several products list is one row, of one of them, for as long as any of them lists it."""

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.resources.events import EVENTS
from fullscript_pipeline.resources.products import PRODUCTS, VARIANTS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.released_warehouses import RELEASED, left_by
from fullscript_pipeline_tests.helpers.warehouse_loads import START, Record, context, lines_of, put, rows

OPEN = "SELECT variant_id, product_id, removed_at IS NULL FROM history.variants WHERE valid_to IS NULL ORDER BY ALL"
HISTORY = "SELECT variant_id, product_id, msrp_raw, valid_from, valid_to FROM history.variants ORDER BY ALL"
WRONG = """SELECT * FROM (SELECT *, lead(valid_from) OVER one AS following, lead(known_at) OVER one AS later
    FROM history.{table} WINDOW one AS (PARTITION BY {key} ORDER BY valid_from))
    WHERE valid_to IS DISTINCT FROM following OR valid_from >= valid_to OR known_at < valid_from OR known_at > following
    OR known_at > later"""
LIVE = "SELECT variant_id, product_id, msrp_raw FROM {} WHERE removed_at IS NULL ORDER BY ALL"
UNREADABLE = "no object"


def product(ident: str, *variants: Any, name: str = "") -> Record:
    return {"id": ident, "name": name or ident, "variants": [variant(*one) if one else UNREADABLE for one in variants]}


def variant(ident: str, price: str = "1.00") -> Record:
    return {"id": ident, "sku": ident, "msrp": price, "primary": True, "else": {"where": price}}


def test_a_variant_stays_with_the_product_that_lists_it(warehouse: Warehouse) -> None:
    both = [product("A", ("v",)), product("B", ("v", "2.00"))]
    put(warehouse, PRODUCTS, both)
    before = rows(warehouse, HISTORY)
    assert [line[:3] for line in before] == [("v", "A", "1.00")]
    put(warehouse, PRODUCTS, both[::-1], 1)
    put(warehouse, PRODUCTS, [product("B", ("v", "3.00"))], 2)
    assert rows(warehouse, HISTORY) == before, "another product's row of it changes nothing"
    put(warehouse, PRODUCTS, [product("A")], 3)
    columns = "variant_id, product_id, msrp_raw, is_primary, extra::VARCHAR, removed_at"
    assert rows(warehouse, f"SELECT {columns} FROM core.variants") == [
        ("v", "B", "3.00", True, '{"else":{"where":"3.00"}}', None)
    ]
    put(warehouse, PRODUCTS, [product("B")], 4)
    assert rows(warehouse, OPEN) == [("v", "B", False)]


def test_a_day_under_another_product(warehouse: Warehouse) -> None:
    here, there = [product("A", ("v",)), product("B")], [product("A"), product("B", ("v",))]
    for hour, listed in enumerate((here, there, here[::-1])):
        put(warehouse, PRODUCTS, listed, hour, EVERYTHING)
    assert [line[1] for line in rows(warehouse, "SELECT valid_from, product_id FROM history.variants ORDER BY 1")] == [
        "A", "B", "A",
    ]  # fmt: skip
    assert rows(warehouse, WRONG.format(table="variants", key="variant_id")) == []


def test_a_product_that_is_gone_leaves_its_variant_to_another(warehouse: Warehouse) -> None:
    put(warehouse, PRODUCTS, [product("A", ("v",), ("w",)), product("B", ("v",))])
    put(warehouse, PRODUCTS, [product("B", ("v",))], 1, EVERYTHING)
    assert rows(warehouse, OPEN) == [("v", "B", True), ("w", "A", False)]
    put(warehouse, PRODUCTS, [product("A", ("v",), ("w",)), product("B")], 2, EVERYTHING)
    assert rows(warehouse, OPEN) == [("v", "A", True), ("w", "A", True)]


def test_the_same_variant_twice_in_a_product_is_one_row(warehouse: Warehouse) -> None:
    put(warehouse, PRODUCTS, [product("A", ("v", "1.00"), ("v", "2.00"))])
    assert [line[:3] for line in rows(warehouse, HISTORY)] == [("v", "A", "2.00")]


def test_a_variant_that_cannot_be_read_is_not_gone(warehouse: Warehouse) -> None:
    put(warehouse, PRODUCTS, [product("A", ("v",), ("w",)), product("B", ("v", "2.00"), ("x",))])
    put(warehouse, PRODUCTS, [product("A", ("w", "3.00"), None), product("B", None)], 1)
    assert rows(warehouse, OPEN) == [("v", "A", True), ("w", "A", True), ("x", "B", True)]
    put(warehouse, PRODUCTS, [product("A", name="new")], 2)
    assert rows(warehouse, OPEN) == [("v", "B", True), ("w", "A", False), ("x", "B", True)]


@pytest.mark.parametrize("variants", [None, "", {}, {"data": []}, 7])
def test_variants_that_are_no_list_say_nothing(warehouse: Warehouse, variants: Any) -> None:
    put(warehouse, PRODUCTS, [product("A", ("v",))])
    put(warehouse, PRODUCTS, [product("A") | {"variants": variants}], 1)
    assert rows(warehouse, OPEN) == [("v", "A", True)]


def test_a_variant_read_alone_stays_with_the_product_that_lists_it(warehouse: Warehouse) -> None:
    put(warehouse, PRODUCTS, [product("A", ("v",)), product("B")])
    records: list[Record] = [{"id": "v", "sku": "new"}, {"id": "v", "sku": "newer", "product": {"id": "B"}}]
    for hour, alone in enumerate(records, 1):
        put(warehouse, VARIANTS, [alone], hour)
        sku = "SELECT sku, product_id FROM core.variants WHERE removed_at IS NULL"
        assert rows(warehouse, sku) == [(alone["sku"], "A")]
    put(warehouse, PRODUCTS, [product("B", ("v",)), product("A")], 3)
    assert rows(warehouse, OPEN) == [("v", "B", True)]


class Catalog:
    """What the loader should have stored: what each product lists, and whose each variant is."""

    def __init__(self) -> None:
        self.listed: dict[str, dict[str, str]] = {}
        self.owner: dict[str, str] = {}

    def load(self, taken: dict[str, list[tuple[str, str] | None]], *, complete: bool) -> None:
        for ident, lines in taken.items():
            read = dict(line for line in lines if line)
            # A line that nobody can read may be any that was there.
            self.listed[ident] = (self.listed.get(ident, {}) if None in lines else {}) | read
        if complete:
            self.listed = {ident: self.listed[ident] for ident in taken}
        every = {one for listed in self.listed.values() for one in listed}
        for one in every:
            parents = sorted(ident for ident, listed in self.listed.items() if one in listed)
            if self.owner.get(one) not in parents:
                self.owner[one] = parents[0]
        self.owner = {one: ident for one, ident in self.owner.items() if one in every}

    def there(self) -> list[tuple[str, str, str]]:
        return sorted((one, ident, self.listed[ident][one]) for one, ident in self.owner.items())


variant_lines = st.none() | st.tuples(st.sampled_from("uvw"), st.sampled_from(["1.00", "2.00"]))
looks = st.tuples(
    st.dictionaries(st.sampled_from("ABC"), st.lists(variant_lines, max_size=3), min_size=1, max_size=3),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from("ABC"), st.floats(0.01, 0.4)), max_size=2),
)


LOOKS = st.lists(looks, min_size=1, max_size=5)
TWICE = [({"A": [("u", "1.00")], "B": [("u", "2.00")]}, False, []), ({"A": [("v", "1.00")]}, True, [("A", 0.1)])]
Taken = list[tuple[dict[str, list[tuple[str, str] | None]], bool, list[tuple[str, float]]]]
_one_warehouse = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.check_all
@settings(_one_warehouse, max_examples=8)
@given(taken=LOOKS, seed=st.integers(0, 99))
@example(taken=TWICE, seed=0)
def test_whatever_products_list_every_variant_is_one_row(warehouse: Warehouse, taken: Taken, seed: int) -> None:
    """Doubles, moves, lines that cannot be read, removals, returns and events, in any order; against an oracle."""
    _follow(warehouse, taken, seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(_one_warehouse, max_examples=1000)
@given(taken=st.lists(looks, min_size=1, max_size=9), seed=st.integers(0, 99))
def test_a_thousand_histories_of_shared_variants(warehouse: Warehouse, taken: Taken, seed: int) -> None:
    _follow(warehouse, taken, seed)


def _follow(warehouse: Warehouse, taken: Taken, seed: int) -> None:
    oracle, expected = Catalog(), []
    with warehouse.write() as con:
        for table in ("history.products", "history.variants", "ops.shared_children", "ops.pulls", "core.events"):
            con.execute(f"DELETE FROM {table}")
        for hour, (listed, complete, told) in enumerate(taken):
            records = [product(ident, *lines) for ident, lines in listed.items()]
            oracle.load(listed, complete=complete)
            expected.append(oracle.there())
            load(con, EVENTS, lines_of([_event(ident, hour - ago) for ident, ago in told]), context(hour))
            missing = EVERYTHING if complete else None
            for again in range(2):
                before = con.execute(HISTORY).fetchall()
                Random(seed + again).shuffle(records)
                counts = load(con, PRODUCTS, lines_of(records), context(hour), missing_among=missing)
            assert (counts.added, counts.changed, counts.removed) == (0, 0, 0)
            assert con.execute(HISTORY).fetchall() == before, "the same again writes nothing, in any order"
            assert con.execute(LIVE.format("core.variants")).fetchall() == expected[-1]
            _note_pull(con, hour)
        for table, key in (("products", "product_id"), ("variants", "variant_id")):
            assert con.execute(WRONG.format(table=table, key=key)).fetchall() == []
        for hour, there in enumerate(expected):
            when = START + timedelta(hours=hour, minutes=30)
            as_of = f"history.variants_as_of(TIMESTAMPTZ '{when.isoformat()}')"
            assert con.execute(LIVE.format(as_of)).fetchall() == there


def _event(ident: str, hour: float) -> Record:
    at = (START + timedelta(hours=hour)).isoformat()
    return {"id": f"{ident}/{hour}", "type": "product.updated", "created_at": at, "resource_id": ident}


def _note_pull(con: duckdb.DuckDBPyConnection, hour: int) -> None:
    con.execute(
        "INSERT INTO ops.pulls (region, day, resource, outcome, observed_at, finished_at, complete) "
        "VALUES ('us', $at::DATE, 'products', 'loaded', $at, $at, true)",
        {"at": context(hour).observed_at},
    )


def _double(warehouse: Warehouse) -> None:
    """As older programs left it when A and B listed v in one load."""
    put(warehouse, PRODUCTS, [product("A", ("v",)), product("B", ("w",))])
    with warehouse.write() as con:
        con.execute(
            "INSERT INTO history.variants SELECT * REPLACE ('B' AS product_id, '2.00' AS msrp_raw, 'h' AS "
            "content_hash) FROM history.variants WHERE variant_id = 'v'"
        )
        con.execute("DELETE FROM ops.shared_children")


@pytest.mark.parametrize("listed", [[], [product("C")], [product("A", ("v",))], [product("B", ("v", "2.00"), ("w",))]])
def test_two_open_versions_are_repaired_by_the_next_load(warehouse: Warehouse, listed: list[Record]) -> None:
    _double(warehouse)
    put(warehouse, PRODUCTS, listed, 24)
    assert rows(warehouse, OPEN) == [("v", "A", True), ("w", "B", True)]
    assert rows(warehouse, WRONG.format(table="variants", key="variant_id")) == []
    put(warehouse, PRODUCTS, [product("A")], 48)
    assert rows(warehouse, OPEN) == [("v", "B", True), ("w", "B", True)], "B lists it, as it did all the time"


def test_a_removal_beside_an_open_version_was_a_mistake(warehouse: Warehouse) -> None:
    _double(warehouse)
    with warehouse.write() as con:
        con.execute(
            "UPDATE history.variants SET valid_to = valid_from + INTERVAL 1 DAY WHERE product_id = 'A' "
            "AND variant_id = 'v'"
        )
        con.execute(
            "INSERT INTO history.variants SELECT * REPLACE (valid_to AS valid_from, NULL AS valid_to, valid_to AS "
            "known_at, valid_to AS removed_at) FROM history.variants WHERE valid_to IS NOT NULL AND variant_id = 'v'"
        )
    put(warehouse, PRODUCTS, [], 48)
    assert rows(warehouse, OPEN)[0] == ("v", "B", True)
    assert rows(warehouse, WRONG.format(table="variants", key="variant_id")) == []


def test_an_upgrade_mends_them_and_what_a_product_listed_before(tmp_path: Path) -> None:
    warehouse = Warehouse(left_by(RELEASED[-1], tmp_path / "w.duckdb"))
    migrate(warehouse, [])
    with warehouse.write() as con:
        con.execute("DELETE FROM history.products")
        con.execute("DELETE FROM history.variants")
    _double(warehouse)
    with warehouse.write() as con:
        # B's w went to A while B, which has not changed since, still lists it.
        con.execute("UPDATE history.variants SET valid_to = valid_from + INTERVAL 1 DAY WHERE variant_id = 'w'")
        con.execute(
            "INSERT INTO history.variants SELECT * REPLACE (valid_to AS valid_from, NULL AS valid_to, valid_to AS "
            "known_at, 'A' AS product_id) FROM history.variants WHERE variant_id = 'w'"
        )
        con.execute("UPDATE history.products SET known_at = known_at + INTERVAL 1 DAY WHERE product_id = 'A'")
        con.execute("DROP TABLE ops.shared_children")
        con.execute("UPDATE ops.schema_version SET made_from = 'before'")
    migrate(warehouse, [])
    assert rows(warehouse, OPEN) == [("v", "A", True), ("w", "A", True)]
    assert rows(warehouse, WRONG.format(table="variants", key="variant_id")) == []
    put(warehouse, PRODUCTS, [product("A")], 48)
    assert rows(warehouse, OPEN) == [("v", "B", True), ("w", "B", True)]
