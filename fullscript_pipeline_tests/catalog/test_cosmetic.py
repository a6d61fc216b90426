"""What counts as the same text written differently, and what never does."""

import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.catalog.cosmetic import differs_quickly, is_cosmetic


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


@given(
    st.text("aA1 0.<>&;p\u00a0ße\u00e9\u0301\u200b", max_size=12),
    st.text("aA1 0.<>&;p\u00a0ße\u00e9\u0301\u200b", max_size=12),
)
def test_the_shortcut_never_calls_a_rewriting_a_change(old: str, new: str) -> None:
    assert not (differs_quickly(old, new) and _folded(old) == _folded(new))


def _folded(text: str) -> str:
    """Without white space, case, entities and zeros: whatever could be called cosmetic is equal here."""
    plain = unicodedata.normalize("NFD", html.unescape(text).replace("\u200b", "")).casefold()
    return "".join(plain.split()).replace("0", "").rstrip(".")
