"""docs/glossary.md: a term once, and the words that it replaces come back in no heading and in no module name."""

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
LINKING = ("README.md", "CONTRIBUTING.md", "docs/architecture.md")
TEXTS = ("README.md", "docs/operations.md", "docs/architecture.md")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines()
    if re.match(r"\| (?!term )[a-z]", line)
]
REPLACED = sorted({word.strip() for _, _, words in ROWS for word in words.split(",") if word.strip()})


def singular_words(text: str) -> str:
    """The words of a text in lower case, without the `s` of a plural, each between blanks."""
    return f" {' '.join(re.sub('s$', '', word) for word in re.findall('[a-z]+', text.lower()))} "


def test_a_term_is_explained_once_and_replaces_no_other_term() -> None:
    terms = Counter(term for term, _, _ in ROWS)
    assert len(terms) > 30
    assert [term for term, times in terms.items() if times > 1] == []
    assert terms.keys() & set(REPLACED) == set()


@pytest.mark.parametrize("name", LINKING)
def test_readers_find_the_glossary(name: str) -> None:
    assert "glossary.md)" in (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("word", REPLACED)
def test_a_replaced_word_is_in_no_heading(word: str) -> None:
    for name in TEXTS:
        for heading in re.findall(r"^#+ (.*)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE):
            assert singular_words(word) not in singular_words(heading), f"{name}: {heading}"


@pytest.mark.parametrize("word", REPLACED)
def test_a_replaced_word_names_no_module(word: str) -> None:
    for path in (ROOT / "fullscript_pipeline").rglob("*.py"):
        named = singular_words(" ".join(path.relative_to(ROOT).with_suffix("").parts))
        assert singular_words(word) not in named, path.relative_to(ROOT)
