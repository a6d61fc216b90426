"""Figures of the source that must not get worse: `python benchmarks/structure.py` prints all of them.

A limit is what was reached. Lower it when a figure falls; do not raise it. What does not belong here: what a module
says of itself (`test_structure`), who may import whom (`test_dependency_direction`).
"""

import re
import subprocess
import sys
import tomllib

import pytest

from fullscript_pipeline_tests.helpers.source_figures import NAME, ROOT, Source

REPEATED_CLASSES: set[str] = set()


@pytest.fixture(scope="module")
def source() -> Source:
    return Source()


def test_names_are_terms_of_the_field(source: Source) -> None:
    everyday, empty = source.everyday_names, source.empty_names
    assert source.per_thousand_lines(everyday) <= 4, everyday.most_common(20)
    assert source.per_thousand_lines(empty) <= 4, empty.most_common(20)


def test_a_class_has_its_name_for_itself(source: Source) -> None:
    assert set(source.repeated_classes) <= REPEATED_CLASSES


def test_every_function_is_typed(source: Source) -> None:
    assert source.typed_percent == 100


def test_functions_and_modules_are_short(source: Source) -> None:
    lengths = source.function_lengths
    assert lengths[len(lengths) * 9 // 10] <= 19
    assert lengths[-1] <= 35
    assert source.longest_module.lines <= 300, source.longest_module.name


def test_a_module_is_not_half_of_another(source: Source) -> None:
    """The share of modules that exactly one other imports is not larger than it was."""
    assert len(source.imported_once) / len(source.modules) <= 0.235


def test_arguments_have_names(source: Source) -> None:
    """No call has five positional arguments."""
    assert not source.calls_with_positions(5)


def test_dataclasses_are_made_by_keyword(source: Source) -> None:
    dataclasses = source.dataclasses
    assert len(dataclasses) > 250
    assert not [name for name, lines in dataclasses.items() if not any("kw_only=True" in line for line in lines)]


def test_settings_are_made_at_the_entries(source: Source) -> None:
    assert len(calls := source.calls_of("load_settings")) <= 3, calls


def _expand(pattern: str) -> list[str]:
    """The paths that a pattern with braces names."""
    braces = re.search(r"\{([^{}]*)\}", pattern)
    if braces is None:
        return [pattern]
    before, after = pattern[: braces.start()], pattern[braces.end() :]
    return [path for word in braces[1].split(",") for path in _expand(f"{before}{word}{after}")]


def test_the_injection_lint_is_off_for_builders_of_sql_alone() -> None:
    """S608 is off, by name, for exactly the modules that put names of tables or columns into SQL."""
    ignores = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["per-file-ignores"]
    listed = [path for pattern, codes in ignores.items() if "S608" in codes for path in _expand(pattern)]
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "S608"]
    found = subprocess.run(
        [*ruff, "--output-format", "concise", NAME], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    builders = set(re.findall(rf"^({NAME}/\S+?\.py):", found, re.MULTILINE))
    assert sorted(path for path in listed if path.startswith(f"{NAME}/")) == sorted(builders)
    assert len(builders) <= 43
