"""What counts as the same text written differently, and what never does."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.catalog.cosmetic import is_cosmetic, surely_differ


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


@given(st.text("aA1 0.<>&;p\u00a0ßs", max_size=12), st.text("aA1 0.<>&;p\u00a0ßs", max_size=12))
def test_the_shortcut_never_calls_a_rewriting_a_change(old: str, new: str) -> None:
    assert not (surely_differ(old, new) and _folded(old) == _folded(new))


def _folded(text: str) -> str:
    """Without white space, case, entities and zeros: whatever could be called cosmetic is equal here."""
    return "".join(html.unescape(text).casefold().split()).replace("0", "").rstrip(".")
