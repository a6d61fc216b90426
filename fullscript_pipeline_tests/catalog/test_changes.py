"""Which rows a change makes: the right field, old and new, once, and nothing else."""

from copy import deepcopy
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.catalog import CatalogChange, build_catalog_changes, changes, changes_between
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, nov, observe, small_world, warehouse

Connection = duckdb.DuckDBPyConnection


def facts(rows: list[CatalogChange]) -> list[tuple[Any, ...]]:
    """What a change says, without its context."""
    return [(row.entity, row.entity_id, row.change, row.field, row.old_value, row.new_value) for row in rows]


def diff(con: Connection, from_day: int, to_day: int, **options: Any) -> list[CatalogChange]:
    return changes_between(con, "us", nov(from_day), nov(to_day), UTC_ZONE, **options)


def two_days(con: Connection, *edits: tuple[str, str, str, Any]) -> list[CatalogChange]:
    """The changes that edits of (table, id, column, value) make overnight; cosmetic ones included."""
    world = small_world()
    observe(con, world, noon(21))
    for table, ident, column, value in edits:
        world[table][ident][column] = value
    observe(con, world, noon(22))
    return diff(con, 21, 22, include_cosmetic=True)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("brands", "b1", "name", "Northwind"), ("brand", "b1", "changed", "name", "Northwind Naturals", "Northwind")),
        (("brands", "b1", "status", "unavailable"), ("brand", "b1", "changed", "status", "available", "unavailable")),
        (("products", "p1", "brand_id", "b9"), ("product", "p1", "changed", "brand_id", "b1", "b9")),
        (
            ("products", "p1", "dosage_recommended_amount", "2"),
            ("product", "p1", "changed", "dosage.recommended_amount", "1", "2"),
        ),
        (("products", "p2", "dosage_format", None), ("product", "p2", "changed", "dosage.format", "capsule", None)),
        (
            ("products", "p1", "description_html", "<p>New.</p>"),
            ("product", "p1", "changed", "description_html", "<p>Take with food.</p>", "<p>New.</p>"),
        ),
        (("variants", "p1-60", "units", 90), ("variant", "p1-60", "changed", "units", "60", "90")),
        (("variants", "p1-60", "is_primary", False), ("variant", "p1-60", "changed", "primary", "true", "false")),
        (
            ("variants", "p2-60", "availability", "Backordered"),
            ("variant", "p2-60", "changed", "availability", "In Stock", "Backordered"),
        ),
        (("variants", "p2-60", "msrp_raw", "N/A"), ("variant", "p2-60", "changed", "msrp", "19.99", "N/A")),
    ],
)
def test_a_change_is_one_row_under_the_vendors_path(
    con: Connection, edit: tuple[str, str, str, Any], expected: tuple[Any, ...]
) -> None:
    assert facts(two_days(con, edit)) == [expected]


def test_a_price_without_its_raw_text_reads_like_a_price(con: Connection) -> None:
    rows = two_days(con, ("variants", "p1-60", "msrp_raw", None), ("variants", "p1-60", "msrp", "21.5"))
    assert facts(rows) == [("variant", "p1-60", "changed", "msrp", "19.99", "21.50")]


def test_after_a_comparison_that_failed_the_threads_are_as_before(
    con: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe(con, small_world(), noon(21))
    con.execute("SET threads = 1")
    monkeypatch.setattr(changes, "_compare", lambda con, *_: con.execute("SELECT error('as if out of memory')"))
    con.execute("BEGIN")
    with pytest.raises(duckdb.Error, match="as if"):
        diff(con, 21, 21)
    con.execute("ROLLBACK")
    assert con.execute("SELECT current_setting('threads')").fetchone() == (1,)


def test_nothing_changed_is_no_row(con: Connection) -> None:
    """A second version with the same values (another key order, a new unknown key) is no change."""
    observe(con, small_world(), noon(21))
    con.execute("UPDATE history.products SET valid_to = ?", [noon(22)])
    con.execute("INSERT INTO history.products SELECT * REPLACE (? AS valid_from, ? AS known_at, NULL AS valid_to) "
                "FROM history.products", [noon(22), noon(22)])  # fmt: skip
    assert diff(con, 21, 22, include_cosmetic=True) == []
    assert diff(con, 21, 21) == []


def test_the_first_observation_is_the_baseline(con: Connection) -> None:
    world = small_world()
    ingredients = world.pop("ingredients")
    observe(con, world, noon(21))
    world["ingredients"] = ingredients
    observe(con, world, noon(22))
    kinds = ("brand", "product", "variant", "ingredient")
    assert diff(con, 21, 22, entities=kinds) == []
    assert build_catalog_changes(con, "us", time_zone=UTC_ZONE) == 0
    world["ingredients"]["i2"] = {"name": "Iron"}
    observe(con, world, noon(23))
    assert facts(diff(con, 22, 23, entities=kinds)) == [("ingredient", "i2", "added", None, None, None)]


def test_gone_back_and_new_are_one_row_each_with_the_variants_own_rows(con: Connection) -> None:
    world = small_world()
    observe(con, world, noon(20))
    without = deepcopy(world)
    del without["products"]["p1"], without["variants"]["p1-60"], without["variants"]["p1-120"]
    observe(con, without, noon(21))
    observe(con, world, noon(22))
    assert facts(diff(con, 20, 21)) == [
        ("product", "p1", "removed", None, None, None),
        ("variant", "p1-120", "removed", None, None, None),
        ("variant", "p1-60", "removed", None, None, None),
    ]
    assert [row.change for row in diff(con, 21, 22)] == ["returned"] * 3
    assert diff(con, 20, 22) == []
    world["products"]["p3"] = {"name": "Product 3", "brand_id": "b1"}
    observe(con, world, noon(23))
    (added,) = diff(con, 22, 23)
    assert (added.change, added.field, added.entity_name, added.brand_name) == (
        "added",
        None,
        "Product 3",
        "Northwind Naturals",
    )


def test_gone_and_back_with_another_value_is_a_change(con: Connection) -> None:
    world = small_world()
    observe(con, world, noon(20))
    observe(con, {**world, "products": {"p2": world["products"]["p2"]}}, noon(21))
    world["products"]["p1"]["name"] = "Renamed"
    observe(con, world, noon(22))
    assert facts(diff(con, 20, 22)) == [("product", "p1", "changed", "name", "Product 1", "Renamed")]


def test_came_and_went_between_the_days_is_nothing(con: Connection) -> None:
    world = small_world()
    observe(con, world, noon(20))
    observe(con, {**world, "products": world["products"] | {"p9": {"name": "Brief"}}}, noon(21))
    observe(con, world, noon(22))
    assert diff(con, 20, 22) == []
    assert [row.change for row in diff(con, 21, 22)] == ["removed"]


def test_changed_and_back_inside_a_day_is_nothing(con: Connection) -> None:
    world = small_world()
    observe(con, world, noon(21))
    for hour, price in ((8, "9.99"), (12, "19.99")):
        world["variants"]["p1-60"]["msrp_raw"] = price
        observe(con, world, noon(22, hour))
    assert diff(con, 21, 22) == []
    assert build_catalog_changes(con, "us", time_zone=UTC_ZONE) == 0


def test_changed_on_is_the_day_of_that_fields_own_change(con: Connection) -> None:
    world = small_world()
    observe(con, world, noon(20))
    world["products"]["p1"]["name"] = "Renamed"
    observe(con, world, noon(21))
    world["products"]["p1"]["description_html"] = "Other"
    observe(con, world, noon(23))
    assert {row.field: row.changed_on for row in diff(con, 20, 24)} == {"name": nov(21), "description_html": nov(23)}


def test_days_are_those_of_the_time_zone(con: Connection) -> None:
    """02:00 UTC on the 22nd is still the 21st in Toronto."""
    world = small_world()
    observe(con, world, noon(20))
    world["products"]["p1"]["name"] = "Renamed"
    observe(con, world, noon(22, 2))
    toronto = ZoneInfo("America/Toronto")
    assert changes_between(con, "us", nov(21), nov(22), toronto) == []
    (row,) = changes_between(con, "us", nov(20), nov(21), toronto)
    assert row.changed_on == nov(21)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("description_html", "<p>\n  Take with  food. </p>"),
        ("description_html", "<P>TAKE with food.</P>"),
        ("description_html", "<p>Take&nbsp;with food&#46;</p>"),
        ("name", " product 1"),
    ],
)
def test_rewritings_are_cosmetic(con: Connection, column: str, value: str) -> None:
    (row,) = two_days(con, ("products", "p1", column, value))
    assert row.cosmetic
    assert diff(con, 21, 22) == []


def test_decimal_places_are_no_change_and_none_at_all_are_cosmetic(con: Connection) -> None:
    assert two_days(con, ("variants", "p1-60", "msrp_raw", "19.990")) == []
    observe(con, small_world() | {"variants": {"p1-60": {"product_id": "p1", "msrp_raw": "20"}}}, noon(23))
    observe(con, small_world() | {"variants": {"p1-60": {"product_id": "p1", "msrp_raw": "20.00"}}}, noon(24))
    (row,) = diff(con, 23, 24, include_cosmetic=True)
    assert (row.field, row.old_value, row.new_value, row.cosmetic) == ("msrp", "20", "20.00", True)


def test_a_product_the_server_does_not_name_has_not_moved(con: Connection) -> None:
    assert two_days(con, ("variants", "p1-60", "product_id", None)) == []


def test_active_plans_count_plans_of_the_region_once(con: Connection) -> None:
    """A plan with both variants of a product counts once for it; drafts, removed lines and other regions do not."""
    con.execute(
        """INSERT INTO core.clinics VALUES ('c1', 'k1', 'us'), ('c2', 'k2', 'us'), ('c3', 'k3', 'ca');
        INSERT INTO core.treatment_plans VALUES ('c1', 't1', 'active', NULL), ('c1', 't2', 'draft', NULL),
            ('c2', 't1', 'active', NULL), ('c3', 't1', 'active', NULL), ('c2', 't9', 'active', now());
        INSERT INTO core.recommendations VALUES ('c1', 't1', 0, 'p1-60', NULL), ('c1', 't1', 1, 'p1-120', NULL),
            ('c1', 't2', 0, 'p1-60', NULL), ('c2', 't1', 0, 'p1-120', NULL), ('c2', 't1', 1, 'p1-60', now()),
            ('c3', 't1', 0, 'p1-60', NULL), ('c2', 't9', 0, 'p1-60', NULL)"""
    )
    rows = two_days(
        con,
        ("brands", "b1", "name", "N"),
        ("products", "p1", "name", "N"),
        ("products", "p2", "name", "N"),
        ("variants", "p1-60", "units", 1),
    )
    assert {row.entity_id: row.active_plans for row in rows} == {"b1": 2, "p1": 2, "p2": 0, "p1-60": 1}
    (variant,) = [row for row in rows if row.entity == "variant"]
    assert (variant.product_id, variant.product_name, variant.brand_id, variant.brand_name) == ("p1", "N", "b1", "N")


def test_filters(con: Connection) -> None:
    two_days(
        con, ("products", "p1", "name", "X"), ("variants", "p1-60", "msrp_raw", "5"), ("brands", "b1", "name", "Y")
    )
    assert [row.field for row in diff(con, 21, 22, field="msrp")] == ["msrp"]
    assert len(diff(con, 21, 22, brand="northwind naturals")) == 3
    assert len(diff(con, 21, 22, brand="b1")) == 3
    assert [row.entity for row in diff(con, 21, 22, entities=["variant"])] == ["variant"]


def test_other_regions_do_not_mix(con: Connection) -> None:
    two_days(con, ("products", "p1", "name", "X"))
    other = small_world()
    observe(con, other, noon(21), region="ca")
    other["products"]["p2"]["name"] = "Y"
    observe(con, other, noon(22), region="ca")
    assert [row.entity_id for row in diff(con, 21, 22)] == ["p1"]
    assert [row.entity_id for row in changes_between(con, "ca", nov(21), nov(22), UTC_ZONE)] == ["p2"]


def test_impossible_questions_are_sentences(con: Connection) -> None:
    with pytest.raises(UsageError, match="Region 'us' has no catalog yet"):
        diff(con, 21, 22)
    two_days(con)
    with pytest.raises(UsageError, match="FROM 2026-11-22 is after TO 2026-11-21"):
        diff(con, 22, 21)
    with pytest.raises(UsageError, match="not observed on or before 2026-11-20; its first day is 2026-11-21"):
        diff(con, 20, 22)
    with pytest.raises(UsageError, match="has no brand 'northwind natural'; did you mean Northwind Naturals"):
        diff(con, 21, 22, brand="northwind natural")
    with pytest.raises(UsageError, match=r"no catalog field 'price'; choose among .*msrp"):
        diff(con, 21, 22, field="price")
    with pytest.raises(UsageError, match="no catalog entity 'kit'"):
        diff(con, 21, 22, entities=["kit"])


def test_the_mart_is_rebuilt_from_a_day_on_and_equal_to_a_whole_build(con: Connection) -> None:
    world = small_world()
    observe(con, world, noon(20))
    for day, price in ((21, "20.00"), (22, "21.00"), (23, "22.00")):
        world["variants"]["p1-60"]["msrp_raw"] = price
        world["products"]["p1"]["name"] = f" product  {day % 2}"
        observe(con, world, noon(day))
    assert build_catalog_changes(con, "us", time_zone=UTC_ZONE) == 6
    whole = con.execute("SELECT * FROM marts.catalog_changes ORDER BY ALL").fetchall()
    con.execute("UPDATE marts.catalog_changes SET old_value = 'stale' WHERE changed_on >= '2026-11-23'")
    assert build_catalog_changes(con, "us", time_zone=UTC_ZONE, since=noon(23, 1)) == 2
    assert con.execute("SELECT * FROM marts.catalog_changes ORDER BY ALL").fetchall() == whole
    marked = con.execute("SELECT field, cosmetic, count(*) FROM marts.catalog_changes GROUP BY ALL ORDER BY ALL")
    assert marked.fetchall() == [("msrp", False, 3), ("name", False, 2), ("name", True, 1)]


Step = st.dictionaries(st.sampled_from(["p1", "p2", "p3"]), st.sampled_from(["A", "B", "C"]))


@pytest.mark.check_all
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(Step, min_size=2, max_size=6), st.data())
def test_any_two_days_agree_with_comparing_the_days_themselves(
    steps: list[dict[str, str]], data: st.DataObject
) -> None:
    """Random catalogs of up to three products day by day, against the plain comparison of two dictionaries."""
    con = warehouse()
    base = {"name": "always there"}
    for day, step in enumerate(steps, start=1):
        observe(con, {"products": {"p0": base, **{key: {"name": name} for key, name in step.items()}}}, noon(day))
    first = data.draw(st.integers(1, len(steps)))
    last = data.draw(st.integers(first, len(steps)))
    old, new = steps[first - 1], steps[last - 1]
    seen = {key for step in steps[:first] for key in step}
    expected: set[tuple[Any, ...]] = set()
    for key in old.keys() | new.keys():
        if key not in new:
            expected.add(("product", key, "removed", None, None, None))
        elif key not in old:
            expected.add(("product", key, "returned" if key in seen else "added", None, None, None))
        elif old[key] != new[key]:
            expected.add(("product", key, "changed", "name", old[key], new[key]))
    rows = diff(con, first, last)
    assert set(facts(rows)) == expected
    assert len(rows) == len(expected)
    assert all(nov(first) < row.changed_on <= nov(last) for row in rows)
    build_catalog_changes(con, "us", time_zone=UTC_ZONE)
    names = "entity, entity_id, change, field, old_value, new_value, changed_on"
    mart = con.execute(f"SELECT {names} FROM marts.catalog_changes ORDER BY changed_on, entity_id").fetchall()
    daily = [row for day in range(1, len(steps)) for row in diff(con, day, day + 1)]
    daily.sort(key=lambda row: (row.changed_on, row.entity_id))
    assert mart == [(*fact, row.changed_on) for row, fact in zip(daily, facts(daily), strict=True)]
    con.close()


def test_the_last_day_of_the_calendar_is_a_day(con: Connection) -> None:
    two_days(con)
    assert changes_between(con, "us", nov(21), date(2200, 1, 1), UTC_ZONE) == []
