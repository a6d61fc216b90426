"""Documents for whoever takes the project over: short, complete, and every path in them exists.

What does not belong here: README.md and the settings (`test_readme`), security.md (`test_security_doc`).
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DECISIONS = sorted(path for path in (DOCS / "decisions").glob("*.md") if path.name != "README.md")
# Paths may leave out the name of the package.
PLACES = (ROOT, ROOT / "fullscript_pipeline", ROOT / "fullscript_pipeline_tests")
# What is generated, and the page whose blocks a test runs, need no look at their paths.
TESTED_ELSEWHERE = {"data-dictionary.md", "adding-a-resource.md"}
TEXTS = [ROOT / "CONTRIBUTING.md", *sorted(path for path in DOCS.rglob("*.md") if path.name not in TESTED_ELSEWHERE)]
PATH = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|toml|sql))`")


def test_the_architecture_is_read_in_one_sitting() -> None:
    assert len((DOCS / "architecture.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_index_lists_every_decision_once() -> None:
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\((\d{3}-[\w-]+\.md)\)", index)) == [path.name for path in DECISIONS]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem[:3])
def test_a_decision_has_its_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.match(r"# .+\n\nDate: 20\d\d-\d\d-\d\d\n", text)
    assert re.findall(r"^\*\*(\w+)\.\*\*", text, re.MULTILINE) == ["Context", "Decision", "Measurement"]
    assert len(text.splitlines()) < 30


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_text_names_exists(text: Path) -> None:
    for name in PATH.findall(text.read_text(encoding="utf-8")):
        is_there = any((place / name).is_file() for place in PLACES)
        assert is_there or ("/" not in name and any(ROOT.glob(f"fullscript_pipeline*/**/{name}"))), name


def changes() -> dict[str, str]:
    """The sections of where-to-change-what.md by their headings."""
    _, *sections = (DOCS / "where-to-change-what.md").read_text(encoding="utf-8").split("\n## ")
    return {heading: body for heading, _, body in (section.partition("\n") for section in sections)}


def test_twelve_changes_are_described() -> None:
    assert len(changes()) == 12


@pytest.mark.parametrize("change", changes())
def test_a_change_names_its_files_and_its_tests(change: str) -> None:
    table, _, tests = changes()[change].partition("| step | file |\n")[2].partition("Tests:")
    for row in table.strip().splitlines()[1:]:
        if row.startswith("|"):
            last = row.strip("| ").rpartition(" | ")[2]
            assert any((place / name).exists() for name in re.findall(r"`([^`]+)`", last) for place in PLACES), row
    assert re.search(r"`fullscript_pipeline_tests/[\w/]*test_\w+\.py`", tests)
