"""How the tests are laid out, and what each module of the package says of itself (CONTRIBUTING.md).

What does not belong here: who may import whom in the package (`test_dependency_direction`).
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "fullscript_pipeline"
# What tests of every room may import: doubles and fixtures, the drills of the promises, the comparison with the API.
SHARED = {"helpers", "drills", "compare"}
# These folders mirror no room: `soak/` runs the drills in full.
WITHOUT_ROOM = SHARED | {"soak"}


def imports(file: Path) -> set[str]:
    """Dotted names of what a file imports from the tests, without the name of their package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    prefix = f"{TESTS.name}."
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def test_no_test_module_and_no_conftest_is_imported() -> None:
    for file in TESTS.rglob("*.py"):
        for name in imports(file):
            parts = name.split(".")
            wrong = [part for part in parts if part.startswith("test_") or part == "conftest"]
            assert not wrong, f"{file.relative_to(TESTS)} imports {name}: move what is shared into helpers/"


def test_rooms_share_through_helpers_only() -> None:
    for file in TESTS.rglob("*.py"):
        room = file.relative_to(TESTS).parts[0]
        allowed = SHARED - {"drills"} if room == "helpers" else SHARED | {room}
        for name in imports(file):
            assert name.split(".")[0] in allowed, f"{file.relative_to(TESTS)} imports {name}"


def test_tests_mirror_the_package() -> None:
    """A folder of tests is a room of the package, by name and place."""
    for file in TESTS.rglob("test_*.py"):
        folder = file.parent.relative_to(TESTS)
        if folder.parts and folder.parts[0] not in WITHOUT_ROOM:
            assert (PACKAGE / folder).is_dir(), f"{folder}/ holds tests of no room"


def modules() -> list[Path]:
    return sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_module_says_what_it_is_for_and_what_does_not_belong_in_it(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))
    assert docstring, "no docstring"
    if module.name not in ("__init__.py", "__main__.py"):
        assert "not belong here" in " ".join(docstring.split()), "no sentence `What does not belong here: ...`"
