"""What counts as the same text written differently, and what never does."""

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.catalog import cosmetic
from fullscript_pipeline.catalog.cosmetic import is_cosmetic


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("19.9", "19.90"),
        ("19", "19.00"),
        ("Zinc  Picolinate", "Zinc Picolinate "),
        ("Zinc", "ZINC"),
        ("B&amp;C", "B&C"),
        ("<p>a</p>\n<p>b</p>", "<p>a</p><p>b</p>"),
        (None, ""),
        ("a\u00a0b", "a b"),
        ("\u00c9pinette bleue", "E\u0301pinette bleue"),
        ("o\u0323\u0308", "o\u0308\u0323"),
        ("Vitamin D3", "Vitamin D3\u200b"),
        ("Ashwa\u00adgandha", "\ufeffAshwagandha"),
        ("\u212b", "\u00e5"),
        ("a<br>b", "a<br/>b"),
        ("a<BR />b", "a<br>b"),
        ("<p class=\"x\" id='y'>a</p>", "<p id=\"y\" class='x'>a</p>"),
        ("Women\u2019s \u201cDaily\u201d \u2013 mild\u2026", 'Women\'s "Daily" - mild...'),
        ("Vitamin C 500 mg", "VITAMIN C 500 MG"),
        ("4 fl. oz", "4 Fl. Oz"),
        ("mag<!-- sic -->nesium", "magnesium"),
        ("10 \u00b5g", "10 \u03bcg"),
        ("\u2212 5 \u00b0C", "- 5 \u00b0C"),
        ("Omega\u20113", "Omega-3"),
        ("a<br>", "a<br></br>"),
        ("Stra\u00dfe", "STRASSE"),
    ],
)
def test_only_the_writing_differs(old: str | None, new: str | None) -> None:
    assert is_cosmetic(old, new)
    assert is_cosmetic(new, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1 0", "10"),
        ("007", "7"),
        ("100", "10"),
        ("19.90", "19.09"),
        ("1-2", "1 - 2"),
        (None, "0"),
        ("<p>a</p>", "a"),
        ("take 1", "take 1."),
        ("B12", "B 12"),
        ("-1", "1"),
        ("\u00c9pinette", "Epinette"),
        ("10\u00b2", "102"),
        ("vitamin\u200bD", "vitamin D"),
        ("500 mg", "500 Mg"),
        ("500mg", "500Mg"),
        ("a<br>b", "a<hr>b"),
        ("<a href='/A'>a</a>", "<a href='/a'>a</a>"),
        ("take <b", "take <c"),
        ("<b>a</b>", "<strong>a</strong>"),
        ("<p>a</p><p>b</p>", "<p>a b</p>"),
        ("\u00bd cup", "1/2 cup"),
        ("1,000 IU", "1.000 IU"),
        ("10 mcg", "10 mg"),
        ("5 ml", "5 Ml"),
    ],
)
def test_the_meaning_may_differ(old: str | None, new: str | None) -> None:
    assert not is_cosmetic(old, new)


@given(st.text())
def test_a_text_is_a_rewriting_of_itself(value: str) -> None:
    assert is_cosmetic(value, f" {value}\n")


@pytest.mark.parametrize("hostile", [" " * 300_000, "<" * 300_000, "&" * 300_000, "< " * 150_000, "9" * 300_000 + "."])
def test_hostile_text_takes_no_time(hostile: str) -> None:
    """A reading that goes back for every character would end in the test's timeout."""
    is_cosmetic(hostile, hostile + "x")


@pytest.mark.parametrize("field", ["sku", "upc", "supplier_sku", "product_id", "brand_id"])
def test_an_identifier_is_compared_exactly(field: str) -> None:
    assert not is_cosmetic("abc-1", "ABC-1", field=field)
    assert not is_cosmetic("abc-1", "abc-1\u200b", field=field)
    assert is_cosmetic(None, "", field=field)
    assert is_cosmetic("abc-1", "ABC-1", field="name")


LETTERS = "aAmMgG1 0.<>&;p/'\u2019\u00a0ße\u00e9\u0301\u200b"


@given(st.text(LETTERS, max_size=12), st.text(LETTERS, max_size=12))
def test_the_shortcut_never_calls_a_rewriting_a_change(old: str, new: str) -> None:
    with mock.patch.object(cosmetic, "differs_quickly", return_value=False):
        in_full = cosmetic.is_cosmetic(old, new)
    assert is_cosmetic(old, new) == in_full
