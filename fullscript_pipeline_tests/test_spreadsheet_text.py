"""Texts that a spreadsheet would execute, and texts that only look odd."""

from pathlib import Path

import duckdb
import pytest

from fullscript_pipeline.catalog.catalog_sides import read_exported_side
from fullscript_pipeline.spreadsheet_text import FORMULA_PATTERN, GUARDED_PATTERN, is_formula


@pytest.mark.parametrize("text", ["=1+1", "  =cmd()", "+1", "-1", "@SUM(A1)", "|calc", "%A1", "＝1", "\tplain"])
def test_a_text_that_could_be_executed(text: str) -> None:
    assert is_formula(text)


@pytest.mark.parametrize("text", ["", "Vitamin D3", "a=b", "5 % off", "1 - 2", "  plain"])
def test_a_plain_text(text: str) -> None:
    assert not is_formula(text)


@pytest.mark.parametrize("text", ["=1+1", "  -1", "＝1", "\tplain", "plain", "'quoted'", "5 % off"])
def test_the_patterns_of_sql_say_the_same_and_take_the_guard_off_again(text: str) -> None:
    found = duckdb.execute("SELECT regexp_matches(?, ?)", [text, FORMULA_PATTERN]).fetchone()
    assert found == (is_formula(text),)
    guarded = f"'{text}" if is_formula(text) else text
    assert duckdb.execute(r"SELECT regexp_replace(?, ?, '\1')", [guarded, GUARDED_PATTERN]).fetchone() == (text,)


def test_a_comparison_of_an_export_takes_the_guard_off(tmp_path: Path) -> None:
    (tmp_path / "core.variants.csv").write_text(
        "region,variant_id,product_id,removed_at,name,sku,upc\nus,v1,p1,,'+Plus 60,'-60,0012\n", "utf-8"
    )
    (tmp_path / "core.products.csv").write_text("region,product_id,name\nus,p1,'@Home\n", "utf-8")
    (variant,) = read_exported_side(tmp_path, "theirs", None).variants
    assert (variant.product, variant.name, variant.sku, variant.upc) == ("@Home", "+Plus 60", "-60", "0012")
