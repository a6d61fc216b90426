"""What holds for every dosage text: how it is typed and in which field it stands does not matter, and a word that no
vocabulary holds never becomes a number."""

from collections.abc import Callable
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.adherence import Dosage, parse_dosage
from fullscript_pipeline.adherence.dosage.lexicon import lexicon
from fullscript_pipeline.adherence.dosage.tokens import tokenize
from fullscript_pipeline_tests.helpers.dosage_tables import NAMES, Row, read, table

ROWS = [row for name in NAMES for row in table(name)]
# A unit that was cut from its number.
CUT = Row(texts=("two", "tablets, twice daily", "", "tablet", ""), right=("4",), length="", is_flagged=False)
READ = [row for row in ROWS if read(row).status != "unparsable"]

_WIDE = {ord(str(digit)): chr(0xFF10 + digit) for digit in range(10)}
# Ways of typing one text.
TYPINGS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "title": str.title,
    "spaces": lambda text: f"  {text.replace(' ', '   ')} ",
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "narrow spaces": lambda text: text.replace(" ", "\u202f"),
    "en dash": lambda text: text.replace("-", "–"),
    "no-break hyphen": lambda text: text.replace("-", "‑"),
    "apostrophe": lambda text: text.replace("'", "’"),
    "no accents": lambda text: text.translate(str.maketrans("éèêàâçîôû", "eeeaaciou")),
    "wide digits": lambda text: text.translate(_WIDE),
    "full stop": lambda text: f"{text}." if text and text[-1].isalpha() else text,
    "quotes": lambda text: f"“{text}”" if text else text,
    "zero-width space": lambda text: f"\u200b{text}\ufeff",
}


def meaning(dosage: Dosage) -> tuple[Any, ...]:
    return (
        *(dosage.status, dosage.units_per_day_min, dosage.units_per_day_max, dosage.unit),
        *(dosage.duration_kind, dosage.duration_days),
    )


@settings(deadline=None)
@given(st.sampled_from(ROWS), st.sampled_from(sorted(TYPINGS)))
def test_how_it_is_typed_does_not_matter(row: Row, typing: str) -> None:
    typed = parse_dosage(*(TYPINGS[typing](text) for text in row.texts))
    assert meaning(typed) == meaning(read(row))


def same_dose(moved: Dosage, dosage: Dosage) -> bool:
    """The same numbers, or less of them: "1 capsule, up to 3 daily" says no smallest dose."""
    least, most = moved.units_per_day_min, moved.units_per_day_max
    is_less = moved.status == "open_range" and least in (None, dosage.units_per_day_min)
    return meaning(moved)[:4] == meaning(dosage)[:4] or (is_less and most in (None, dosage.units_per_day_max))


@settings(deadline=None)
@given(st.sampled_from(READ), st.sampled_from([" ; ", "; ", ", ", " "]), st.integers(0, 2))
def test_the_field_does_not_matter(row: Row, between: str, place: int) -> None:
    """The same words in one field mean the same, or are refused; never another number."""
    amount, frequency, duration, *rest = row.texts
    fields = ["", "", ""]
    fields[place] = between.join(text for text in (amount, frequency, duration) if text.strip())
    assume(len(fields[place]) <= 200)
    moved = parse_dosage(*fields, *rest)
    assert moved.status == "unparsable" or same_dose(moved, read(row))


@settings(deadline=None)
@given(st.sampled_from([row for row in READ if "prn" not in row.right and row.texts[1]]))
def test_a_whole_sig_cut_at_semicolons_is_read(row: Row) -> None:
    """The vendor's own templates look like that: the parts mean what they mean in fields of their own."""
    amount, frequency, duration, *rest = row.texts
    sig = "; ".join([amount, frequency, *([duration] if duration else [])])
    assert meaning(parse_dosage(sig, None, None, *rest)) == meaning(read(row))


UNKNOWN = st.text("bcdfghjklmnpqrstvwxz", min_size=4, max_size=9).filter(lambda word: not lexicon().knows(word))


@settings(deadline=None)
@given(st.sampled_from(ROWS), UNKNOWN, st.integers(0, 2), st.integers(0, 12))
@example(CUT, "bbbb", 2, 0)
def test_a_word_of_no_vocabulary_never_makes_a_number(row: Row, word: str, field: int, place: int) -> None:
    texts = list(row.texts)
    words = texts[field].split()
    words.insert(min(place, len(words)), word)
    texts[field] = " ".join(words)
    with_word = parse_dosage(*texts)
    assert with_word.status in ("unparsable", "prn")
    if with_word.status == "unparsable":
        assert word in with_word.not_understood or len(texts[field]) > 200 or with_word.problem
        assert (with_word.reason and word in with_word.reason) or read(row).status == "unparsable"


@settings(deadline=None)
@given(st.sampled_from(["capsule", "tablet", "softgel", "gummy", "drop", "teaspoon", "patch", "gélule", "goutte"]))
def test_plural_forms_do_not_matter(unit: str) -> None:
    plural = {"gummy": "gummies", "patch": "patches"}.get(unit, f"{unit}s")
    shapes = [f"2 {unit}", f"2 {plural}", f"2 {unit}(s)", f"2 {plural.upper()}"]
    assert len({meaning(parse_dosage(shape, "daily")) for shape in shapes}) == 1
    assert parse_dosage(shapes[0], "daily").units_per_day_max == 2


ANY_TEXT = st.one_of(st.none(), st.text(max_size=40), st.from_regex(r"[0-9/ .,x-]{0,12}(day|week|to|half|every|up)?"))


@settings(deadline=None)
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_whatever_is_written_the_answer_is_whole(
    amount: str | None, frequency: str | None, duration: str | None, format: str | None, info: str | None
) -> None:
    """Never an exception, and never a rate without a status that allows it."""
    dosage = parse_dosage(amount, frequency, duration, format, info)
    low, high = dosage.units_per_day_min, dosage.units_per_day_max
    if dosage.status == "ok":
        assert low is not None and high is not None and 0 < low <= high
    else:
        assert dosage.reason
        assert (low is None) + (high is None) == (1 if dosage.status == "open_range" else 2)
    assert (dosage.duration_days is not None) == (dosage.duration_kind == "finite")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_tokens_know_where_they_stand(text: str) -> None:
    """What is quoted is what was written."""
    for token in tokenize(text):
        assert 0 <= token.start < token.end <= len(text)
