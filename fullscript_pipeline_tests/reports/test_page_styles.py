"""Tests of the style of each kind of page: a page carries the rules of what its template has, and no others."""

import re
from importlib import resources

import pytest

from fullscript_pipeline.reports import page_styles
from fullscript_pipeline.reports.page_styles import policy_of, style_of

TEMPLATES = resources.files("fullscript_pipeline.reports").joinpath("templates")
PAGES = sorted(
    file.name
    for file in TEMPLATES.iterdir()
    if file.name.endswith(".html.j2") and not file.name.startswith(("_", "base"))
)
SHEETS = sorted(file.name.removesuffix(".css") for file in TEMPLATES.iterdir() if file.name.endswith(".css"))


def _sources() -> str:
    """Everything that writes a class or an id: the templates, their scripts, and the drawings."""
    folder = resources.files("fullscript_pipeline.reports")
    drawings = [folder.joinpath(name) for name in ("charts.py", "chart_axis.py", "product_chart.py")]
    templates = [file for file in TEMPLATES.iterdir() if not file.name.endswith(".css")]
    return "\n".join(file.read_text(encoding="utf-8") for file in [*templates, *drawings])


def test_every_page_has_a_style_of_its_kind() -> None:
    assert set(PAGES) == set(page_styles._SHEETS)
    assert {sheet for sheets in page_styles._SHEETS.values() for sheet in sheets} | {"style"} == set(SHEETS)


@pytest.mark.parametrize("sheet", sorted(set(SHEETS) - {"verdicts"}))
def test_no_rule_is_for_something_that_no_page_has(sheet: str) -> None:
    css = re.sub(r"\{[^{}]*\}", "{}", TEMPLATES.joinpath(f"{sheet}.css").read_text(encoding="utf-8"))
    sources = _sources()
    for name in set(re.findall(r"[.#]([a-z][a-z-]*)(?=[^{}]*\{)", css)):
        assert re.search(rf"\b{re.escape(name)}\b", sources), name


def test_a_patient_page_carries_no_rule_of_lists_and_a_list_none_of_tables_of_products() -> None:
    assert ".calls" not in style_of("patient.html.j2")
    assert ".products" not in style_of("clinic.html.j2")
    assert len(style_of("patient.html.j2")) < 6000


def test_a_script_runs_only_where_a_page_has_one() -> None:
    assert "script-src" not in policy_of("directory.html.j2")
    assert "script-src 'sha256-" in policy_of("directory.html.j2", "let a")


def test_the_style_of_one_page_is_allowed_beside_that_of_its_kind() -> None:
    policy = policy_of("patient.html.j2")
    assert page_styles.allow_style(policy, "") == policy
    assert page_styles.allow_style(policy, "p{}").count("'sha256-") == policy.count("'sha256-") + 1
