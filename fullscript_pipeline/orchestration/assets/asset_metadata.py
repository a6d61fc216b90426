"""What the UI shows of every asset beside its words: columns, the table's name, the code that makes it.

It is put on all specs at once (`build.py`), so that a new table needs nothing but its description. What does not belong
here: the words (`asset_specs`, the assets) and the meaning of columns (`column_meanings.toml`).
"""

import inspect
import re
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import dagster as dg

from fullscript_pipeline.catalog import CSV_COLUMNS
from fullscript_pipeline.maintenance import mart_ddl
from fullscript_pipeline.orchestration.assets.column_lineage import column_sources
from fullscript_pipeline.orchestration.assets.freshness import with_freshness
from fullscript_pipeline.orchestration.assets.page_links import with_reference_links
from fullscript_pipeline.reports import export
from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.state import schema as state
from fullscript_pipeline.warehouse.upgrades import statements

_HISTORIES = {table.name for table in ALL_TABLES if table.history}
# `name TYPE` up to the comma or the end; a type may have brackets of its own: DECIMAL(18,4), VARCHAR[].
_COLUMN = re.compile(r"(\w+) (\w+(?:\([\d, ]+\))?(?:\[\])?)(?:,|$)")


def described(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The same assets with columns, table names, links, code references and their freshness policy."""
    return [
        asset.map_asset_specs(
            partial(_describe_spec, writer=inspect.unwrap(cast(Any, asset.op.compute_fn).decorated_fn))
        )
        for asset in assets
    ]


def _describe_spec(spec: dg.AssetSpec, *, writer: Callable[..., Any]) -> dg.AssetSpec:
    coded = with_code(with_columns(spec), writer, label=Path(writer.__code__.co_filename).name)
    return with_freshness(with_reference_links(coded))


def with_columns(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The same spec with its columns, and the table's name where it stands for a table of the warehouse."""
    name = ".".join(spec.key.path)
    table = table_columns().get(name)
    columns = table or columns_elsewhere()[name]
    schema = dg.TableSchema([dg.TableColumn(column, kind, _meaning(name, column)) for column, kind in columns.items()])
    more: dict[str, Any] = {"dagster/column_schema": schema} | ({"dagster/table_name": name} if table else {})
    return spec.merge_attributes(metadata=more)


def with_code(spec: dg.AssetSpec, writer: Callable[..., Any] | type, *, label: str = "") -> dg.AssetSpec:
    """The same spec with a link to what writes it. `label`: what the link says instead of the writer's name."""
    file, line = inspect.getsourcefile(writer), inspect.getsourcelines(writer)[1]
    with _beta_allowed():
        reference = dg.LocalFileCodeReference(file_path=str(file), line_number=line, label=label or writer.__qualname__)
        references: dict[str, Any] = {
            "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])
        }
    return spec.merge_attributes(metadata=references)


@contextmanager
def _beta_allowed() -> Iterator[None]:
    """Code references are beta; a line of code would lose its link."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


@cache
def table_columns() -> Mapping[str, Mapping[str, str]]:
    """Of every table that an asset stands for: its columns and their DuckDB types, by `schema.table`."""
    columns_by_table: dict[str, Mapping[str, str]] = {}
    for statement in statements(mart_ddl()):
        for name, columns in columns_in(statement).items():
            schema, _, table = name.partition(".")
            if schema == "history" and table in _HISTORIES:
                columns_by_table[f"core.{table}"] = {
                    column: kind for column, kind in columns.items() if column != "valid_to"
                }
            elif schema in {"core", "marts", "ops"}:
                columns_by_table[name] = columns
    return columns_by_table


def columns_elsewhere() -> Mapping[str, Mapping[str, str]]:
    """Of what is no table of the warehouse: tables of the state store, and the files beside a report's pages."""
    return {
        "state.clinics": {column.name: str(column.type) for column in state.clinics.columns},
        "state.requests": {column.name: str(column.type) for column in state.request_leases.columns},
        "reports.adherence": dict.fromkeys(export.COLUMNS, "CSV"),
        "reports.catalog_digest": dict.fromkeys(CSV_COLUMNS, "CSV"),
    }


def columns_in(ddl: str) -> dict[str, dict[str, str]]:
    """Tables and their columns in a text of CREATE TABLE statements."""
    plain = re.sub(r"--.*", "", ddl)
    bodies = re.findall(r"CREATE TABLE IF NOT EXISTS ([\w.]+) \((.*?)\)\s*(?:;|\Z)", plain, re.DOTALL)
    return {name: dict(_COLUMN.findall(" ".join(body.split()))) for name, body in bodies}


def _meaning(name: str, column: str) -> str | None:
    """What the data dictionary says of a column, what it is read from, and which columns it is made from."""
    known, source = column_meanings(), _sources().get((name, column))
    meaning = known.get(name, {}).get(column) or known.get("every", {}).get(column)
    made_from = ", ".join(f"`{each}`" for each in column_sources(name.replace(".", "/")).get(column, ()))
    parts = [meaning, f"From {source}." if source else None, f"Made from {made_from}." if made_from else None]
    return " ".join(part for part in parts if part) or None


@cache
def column_meanings() -> Mapping[str, Mapping[str, str]]:
    """Meanings by `schema.table` and column."""
    return tomllib.loads(files(__package__).joinpath("column_meanings.toml").read_text(encoding="utf-8"))


@cache
def _sources() -> Mapping[tuple[str, str], str]:
    """What a typed column is read from, as the vendor's record names it."""
    sources = {}
    for table in ALL_TABLES:
        for column in table.columns:
            if column.source:
                sources[f"core.{table.name}", column.name] = " or ".join(f"`{path}`" for path in column.source)
    return sources
