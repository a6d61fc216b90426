"""Every claim of docs/security.md names a test that there is, and every file of the repository that it speaks of."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = Path(__file__).parent
TEXT = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`([a-z_/]+\.py)(?:::(\w+))?`", TEXT)))
# Rows that say that something is not protected, or that another part of the text has the tests.
WITHOUT = ("root, and who has", "an analyst with a copy", "a known day, against")


@cache
def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_is_named_exists(file: str, name: str) -> None:
    assert (TESTS / file).is_file()
    assert not name or name in functions_of(TESTS / file)


def test_every_row_of_a_table_of_claims_names_its_test() -> None:
    rows, has_tests = 0, False
    for line in TEXT.splitlines():
        if not line.startswith("|"):
            has_tests = False
            continue
        first, *_, last = [cell.strip() for cell in line.strip("|").split("|")]
        if last == "test":
            has_tests = True
        elif has_tests and set(first) != {"-"} and not first.startswith(WITHOUT):
            rows += 1
            assert re.search(r"`[a-z_/]+\.py(::\w+)?`", last), first
    assert rows > 30, "the tables are read"
