"""The catalog commands over a warehouse that holds a few days: exit codes, notes, filters, a product's life."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.catalog import build_catalog_changes
from fullscript_pipeline.cli.main import main
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.catalog_history import UTC_ZONE, noon, observe, small_world
from fullscript_pipeline_tests.helpers.workbooks import read_tables

Run = Callable[..., tuple[int, str, str]]
DAYS = ("2026-11-20", "2026-11-22")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The console script over US days 20 and 22 (a price up by 10 %, a text) and a CA day 22."""
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-22T13:00:00Z")
    monkeypatch.chdir(tmp_path)
    world: dict[str, Any] = small_world()
    world["variants"]["p2-60"]["sku"] = "SKU1120"  # a number that another product has too
    with open_warehouse(load_settings()).write() as con:
        observe(con, world, noon(20))
        world["variants"]["p1-60"]["msrp_raw"] = "21.99"
        world["products"]["p2"]["description_html"] = "<p>Other.</p>"
        observe(con, world, noon(22))
        observe(con, {**world, "brands": {"b2": {"name": "Maple"}}}, noon(22), region="ca")
        build_catalog_changes(con, "us", time_zone=UTC_ZONE)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fullscript-pipeline", "catalog", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capfd.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    return run


def test_a_region_that_began_later_is_compared_from_its_first_day(run: Run) -> None:
    code, out, err = run("diff", *DAYS, "--format", "jsonl")
    assert code == 1
    assert {json.loads(line)["field"] for line in out.splitlines()} == {"msrp", "description_html"}
    assert "ca: 2026-11-20 was not observed. Compared with the first observation, of 2026-11-22." in err


def test_a_day_that_was_not_pulled_says_which_one_stands_in(run: Run) -> None:
    code, out, err = run("diff", "2026-11-21", "2026-11-22", "--region", "us")
    assert code == 1
    assert "Price rises: 1" in out
    assert (
        "us: 2026-11-21 was not pulled: the observation of 2026-11-20 is used instead; the next one is of 2026-11-22."
        in err
    )


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (("diff", "--since-first"), ""),
        (
            ("diff", "2026-01-01"),
            "us: 2026-01-01 was not observed. Compared with the first observation, of 2026-11-20.",
        ),
        (("diff", "--last", "2d"), ""),
        (("diff", "--last", "1y"), "us: 2025-11-22 was not observed."),
        (("changes", "--month", "2026-11"), "us: 2026-10-31 was not observed."),
        (("changes", "--brand", "Northwind Naturals"), "us: 2026-10-31 was not observed."),
    ],
)
def test_an_open_range_begins_with_the_first_observation(run: Run, arguments: tuple[str, ...], note: str) -> None:
    code, out, err = run(*arguments, "--region", "us", "--format", "jsonl")
    assert (code, len(out.splitlines())) == (1, 2)
    assert note in err


def test_the_page_of_an_open_range_says_where_it_begins(run: Run) -> None:
    _, out, _ = run("diff", "--since-first", "--region", "us", "--format", "html")
    assert "Compared with the first observation, of 2026-11-20." in out


@pytest.mark.parametrize(
    ("options", "code", "rows"),
    [
        ((), 1, 2),
        (("--min-price-change", "10%"), 1, 2),
        (("--min-price-change", "10.1 %"), 1, 1),
        (("--min-price-change", "50", "--field", "msrp"), 0, 0),
        (("--fail-on", "gone"), 0, 2),
        (("--fail-on", "gone", "--fail-on", "price"), 1, 2),
        (("--fail-on", "none"), 0, 2),
        (("--brand", "northwind naturals"), 1, 2),
    ],
)
def test_filters_and_alarms(run: Run, options: tuple[str, ...], code: int, rows: int) -> None:
    found, out, _ = run("diff", *DAYS, "--region", "us", "--format", "jsonl", *options)
    assert (found, len(out.splitlines())) == (code, rows)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("diff", *reversed(DAYS)), "FROM 2026-11-22 is after TO 2026-11-20"),
        (("diff", *DAYS, "--brand", "Nobody"), "no brand 'Nobody'"),
        (
            ("changes", "--brand", "Nobody", "--region", "us"),
            "catalog changes --region us --brand 'Northwind Naturals'`",
        ),
        (("show", "p1", "--brand", "Nobody"), "`fullscript-pipeline catalog show p1 --brand 'Northwind Naturals'`"),
        (("diff", DAYS[1], DAYS[0]), f"`fullscript-pipeline catalog diff {DAYS[0]} {DAYS[1]}`"),
        (("diff", "2026-11-20", "2026-11-21", "--region", "ca"), "its first day is 2026-11-22"),
        (("diff", "2026-11-20", "2026-11-21", "--region", "ca"), "catalog diff --since-first"),
        (("diff",), "Give one beginning"),
        (("diff", "2026-11-20", "--since-first"), "Give one beginning"),
        (("diff", "--last", "month"), "like 30d"),
        (("changes", "--month", "11/2026"), "like 2026-11"),
        (("changes", "--month", "2026-10", "--region", "us"), "catalog diff --since-first"),
        (("diff", *DAYS, "--min-price-change", "much"), "like 5%"),
        (("diff", *DAYS, "--min-price-change", "NaN"), "like 5%"),
        (("diff", DAYS[0], "2026-11-23"), "TO 2026-11-23 is in the future: today is 2026-11-22 (UTC)"),
        (("show", "nothing"), "No product 'nothing' has been seen"),
        (("release", "2026-11-22", "--region", "us"), "is not held; none is held, so there is nothing to release."),
    ],
)
def test_a_mistake_is_a_sentence_and_never_exit_1(run: Run, arguments: tuple[str, ...], word: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert word in err
    assert out == ""


def test_a_brand_of_one_region_is_no_error_in_the_other(run: Run) -> None:
    code, _, err = run("diff", "2026-11-22", "2026-11-22", "--brand", "Maple")
    assert code == 0
    assert "Region us has no brand 'Maple'" in err


def test_several_products_of_one_name_are_listed_with_their_brands(run: Run) -> None:
    code, out, err = run("show", "SKU1120")
    assert (code, out) == (2, "")
    assert [line.split() for line in err.splitlines() if line.startswith("us")] == [
        ["us", product, "Northwind", "Naturals", "Product", number, "SKU"]
        for product, number in (("p1", "1"), ("p2", "2"))
    ]
    assert "'SKU1120' matches 2 products, listed above; add --brand, or give the id of one" in err
    assert "`fullscript-pipeline catalog show p1`" in err


def test_show_prints_a_life(run: Run) -> None:
    code, out, _ = run("show", "SKU160", "--region", "us")
    assert code == 0
    assert "US: Northwind Naturals | Product 1 | p1" in out
    assert "First seen 20 Nov 2026." in out
    assert "variant SKU160: 60 capsule, msrp 21.99, In Stock" in out
    assert "22 Nov 2026  variant SKU160: msrp 19.99 → 21.99" in out


def test_coverage_prints_days_and_doors(run: Run) -> None:
    with open_warehouse(load_settings()).write() as con:
        found = "('us', 'p1', 'category', 'c1', '2026-11-20', '2026-11-22')"
        con.execute(f"INSERT INTO core.catalog_coverage VALUES {found}")
        con.execute("INSERT INTO core.clinics (clinic_id, region) VALUES ('c1', 'us')")
        con.execute("INSERT INTO history.recommendations (clinic_id, variant_id) VALUES ('c1', 'never-seen')")
    code, out, _ = run("coverage", "--region", "us")
    assert code == 0
    assert "category: 1 product by 1 clinic, last on 2026-11-22" in out
    assert "0 variants that plans, orders or protocols name and the server denies, 1 not fetched yet" in out
    assert "Catalog US: 2 days pulled, 20 Nov 2026 to 22 Nov 2026." in out
    assert "2026-11-22  2 products seen (full listing), 4 variants" in out
    assert "products: 0 rows" in out


def test_changes_are_written_as_a_workbook(run: Run, tmp_path: Path) -> None:
    code, out, err = run("diff", *DAYS, "--region", "us", "--format", "xlsx")
    assert (code, out) == (2, "")
    assert "--output changes.xlsx" in err
    code, out, err = run("diff", *DAYS, "--region", "us", "--format", "xlsx", "--output", "changes.xlsx")
    assert (code, out) == (1, "")
    assert "Written to changes.xlsx." in err
    tables = read_tables(tmp_path / "changes.xlsx")
    assert {name: len(rows) for name, rows in tables.items() if name != "about"} == {"price rises": 1, "text only": 1}
    code, out, err = run("diff", *DAYS, "--format", "csv", "--output", "nowhere/changes.csv")
    assert code == 2
    assert "nowhere/changes.csv cannot be written" in err
