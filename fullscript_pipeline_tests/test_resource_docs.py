"""What docs show of resources, event types and tables is made from their descriptions, or held against them."""

import re

import pytest

from fullscript_pipeline.resources import ALL_ENDPOINTS, ALL_RESOURCES
from fullscript_pipeline.resources.types import Resource
from fullscript_pipeline_tests.helpers.data_dictionary import tables
from fullscript_pipeline_tests.helpers.resource_docs import DOCS, TABLES, with_table

CONTRACT = re.findall(
    r"^\| ((?:core|history|marts|ops)\..*?) \| (.*?) \|$", (DOCS / "architecture.md").read_text(), re.MULTILINE
)


@pytest.fixture(scope="module")
def columns_by_table() -> dict[str, set[str]]:
    return {name: {column for column, _ in columns} for name, columns in tables().items()}


@pytest.mark.parametrize(("file", "name"), TABLES)
def test_a_table_is_made_from_the_descriptions(file: str, name: str) -> None:
    document = (DOCS / file).read_text(encoding="utf-8")
    assert document == with_table(document, name, TABLES[file, name]()), "run `make resource-docs`"


@pytest.mark.parametrize("resource", ALL_RESOURCES, ids=lambda resource: resource.name)
def test_a_resource_says_what_it_requests(resource: Resource) -> None:
    """By rules of its own, or it follows from how it is read; and there are such endpoints."""
    is_read = bool(resource.endpoints or resource.tables)
    assert bool(resource.request_rules or resource.option or resource.listing == "whole list") == is_read
    paths = {_without_names(endpoint.path) for endpoint in ALL_ENDPOINTS} | {"/events/*"}
    for rule in resource.request_rules:
        for request in rule.requests.split(", "):
            method, path = request.split(" ")
            assert (method, _without_names(path) in paths) == ("GET", True), request


def _without_names(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path.partition("?")[0])


def test_the_contract_names_every_table_of_core_once(columns_by_table: dict[str, set[str]]) -> None:
    named = [name for names, _ in CONTRACT for name in names.split(", ") if name.startswith("core.")]
    assert sorted(named) == [name for name in columns_by_table if name.startswith("core.")]


@pytest.mark.parametrize(("names", "columns"), CONTRACT, ids=lambda text: text.split(",")[0])
def test_the_contract_names_columns_that_exist(names: str, columns: str, columns_by_table: dict[str, set[str]]) -> None:
    """Whatever has an underscore is a column of one of the row's tables, unless it is in brackets."""
    assert all(name in columns_by_table or "<object>" in name for name in names.split(", "))
    mentioned = [name for name in re.findall(r"\b\w+\.\w+", f"{names} {columns}") if name in columns_by_table]
    text = re.sub(r"\(.*?\)|\S+/\S+", "", columns)
    known = set().union(*(columns_by_table[name] for name in mentioned or columns_by_table))
    assert set(re.findall(r"\b[a-z]+_[a-z_]+\b", text)) <= known
