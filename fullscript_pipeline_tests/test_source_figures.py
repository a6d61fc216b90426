"""Figures of the source that must not get worse: `python benchmarks/structure.py` prints all of them.

A limit is what was reached. Lower it when a figure falls; do not raise it. What does not belong here: what a module
says of itself (`test_structure`), who may import whom (`test_dependency_direction`).
"""

import pytest

from fullscript_pipeline_tests.helpers.source_figures import Source

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
    assert lengths[-1] <= 67
    assert source.longest_module.lines <= 300, source.longest_module.name


def test_a_module_is_not_half_of_another(source: Source) -> None:
    """Of modules that exactly one other imports there are no more than there were."""
    assert len(source.imported_once) <= 126


def test_arguments_have_names(source: Source) -> None:
    """Calls with five positional arguments."""
    assert len(calls := source.calls_with_positions(5)) <= 174, calls


def test_settings_are_made_at_the_entries(source: Source) -> None:
    assert len(calls := source.calls_of("load_settings")) <= 3, calls
