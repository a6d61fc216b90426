"""`catalog compare`: two catalogs beside each other, from warehouses and exports, with clear errors."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.cli.main import main
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse.publishing.export import Format, export
from fullscript_pipeline_tests.helpers.catalog_history import noon, observe, small_world
from fullscript_pipeline_tests.helpers.workbooks import read_tables

Run = Callable[..., tuple[int, str, str]]


def _worlds() -> tuple[dict[str, Any], dict[str, Any]]:
    """US and CA: other ids, one UPC each side lacks, one shared with another price and size."""
    us, ca = small_world(), small_world()
    for number, row in enumerate(us["variants"].values()):
        row["upc"] = f"01234567890{number}"
    us["variants"]["p2-120"]["upc"] = "N/A"
    ca["variants"] = {
        f"ca-{key}": {**row, "product_id": f"ca-{row['product_id']}"} for key, row in us["variants"].items()
    }
    ca["products"] = {f"ca-{key}": row for key, row in ca["products"].items()}
    ca["variants"]["ca-p1-60"] |= {"msrp": "24.5", "msrp_raw": "24.50", "units": 90, "units_raw": "90"}
    ca["variants"]["ca-p1-60"]["upc"] = "0-012345-678900"  # the same number, written as an EAN
    ca["variants"]["ca-p2-60"]["upc"] = "999999999999"
    return us, ca


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The console script over a data directory with a US and a CA catalog, and a folder that holds its export."""
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", "a long key that nobody guesses")
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-22T13:00:00Z")
    monkeypatch.chdir(tmp_path)
    warehouse = open_warehouse(load_settings())
    us, ca = _worlds()
    with warehouse.write() as con:
        observe(con, us, noon(22))
        observe(con, ca, noon(22), region="ca")
    kinds: tuple[Format, ...] = ("parquet", "csv")
    for kind in kinds:
        export(warehouse, tmp_path / kind, kind, ["products", "variants", "brands"])

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fullscript-pipeline", "catalog", "compare", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capfd.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    return run


@pytest.mark.parametrize(
    "sides",
    [("us", "ca"), ("data@us", "data/fullscript.duckdb@ca"), ("parquet@us", "csv@ca"), ("csv@us", "parquet@ca")],
)
def test_two_regions_are_compared_by_upc_with_both_currencies(run: Run, sides: tuple[str, str]) -> None:
    code, out, _ = run(*sides, "--format", "jsonl")
    assert code == 1
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row["matched_by"] for row in rows} == {"upc"}
    told = {
        (row["what"], row["sku"]): (row["left"], row["left_currency"], row["right"], row["right_currency"])
        for row in rows
    }
    assert told == {
        ("only left", "SKU260"): ("19.99", "USD", None, None),
        ("only right", "SKU260"): (None, None, "19.99", "CAD"),
        ("price", "SKU160"): ("19.99", "USD", "24.50", "CAD"),
        ("price", "SKU1120"): ("19.99", "USD", "19.99", "CAD"),
        ("size", "SKU160"): ("60 capsule", None, "90 capsule", None),
    }
    assert all(row["percent"] is None for row in rows), "two currencies have no difference in percent"


def test_equal_sides_have_no_differences(run: Run) -> None:
    code, out, _ = run("parquet@us", "data@us")
    assert (code, out.splitlines()[-1]) == (0, "No differences.")
    assert "4 on both, matched by id." in out


def test_every_format_lists_the_same(run: Run, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in run("us", "ca", "--format", "jsonl")[1].splitlines()]
    text = run("us", "ca", "--format", "csv")[1]
    from_csv = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert from_csv == [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
    assert run("us", "ca", "--format", "xlsx")[0] == 2
    assert run("us", "ca", "--format", "xlsx", "--output", "compared.xlsx")[0] == 1
    tables = read_tables(tmp_path / "compared.xlsx")
    assert {name: len(found) for name, found in tables.items() if name != "about"} == {
        what: sum(row["what"] == what for row in rows) for what in ("only left", "only right", "price", "size")
    }
    price = next(row for row in tables["price"] if row["sku"].value == "SKU160")
    assert (price["right"].kind, Decimal(price["right"].value), price["right currency"].value) == (
        "n",
        Decimal("24.50"),
        "CAD",
    )
    table = run("us", "ca")[1]
    assert "Only left: 1\n  Northwind Naturals | Product 2 | SKU260 | 60 capsule: 19.99 USD" in table
    assert "Northwind Naturals | Product 1 | SKU160 | 60 capsule: 19.99 USD | 24.50 CAD" in table
    assert "Not compared: 1 left and 1 right without a key of their own (upc)." in table


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (("us", "nowhere"), "There is no catalog at 'nowhere'"),
        (("us", "data"), "data holds ca and us; choose one, like data@ca"),
        (("us", "empty"), "empty holds no catalog that can be compared: core.variants lacks region, variant_id"),
        (("us", "plain.txt"), "plain.txt cannot be opened"),
        (("us", "broken"), "core.variants.parquet cannot be read"),
    ],
)
def test_a_side_that_holds_no_catalog_is_a_sentence(
    run: Run, tmp_path: Path, sides: tuple[str, str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "core.variants.parquet").write_text("no parquet")
    (tmp_path / "plain.txt").write_text("no warehouse")
    code, out, err = run(*sides)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
