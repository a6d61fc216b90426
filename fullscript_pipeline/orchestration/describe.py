"""What the UI shows of every asset beside its words: columns, the table's name, the code that makes it.

It is put on all specs at once (`build.py`), so that a new table needs nothing but its description. What does not belong
here: the words (`specs`, the assets) and the meaning of columns (`warehouse`).
"""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

import dagster as dg

from fullscript_pipeline.warehouse.objects import ALL_TABLES
from fullscript_pipeline.warehouse.tables import Table

_MART_ROOMS = ("adherence", "catalog")
# `name TYPE` up to the comma or the end; a type may have brackets of its own: DECIMAL(18,4), VARCHAR[].
_COLUMN = re.compile(r"(\w+) (\w+(?:\([\d, ]+\))?(?:\[\])?)(?:,|$)")


def described(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The same assets with columns, table names and code references."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # code references are beta; a line of code would lose its link
        with_code = cast(Sequence[dg.AssetsDefinition], dg.with_source_code_references(list(assets)))
    return [asset.map_asset_specs(_with_table) for asset in with_code]


def _with_table(spec: dg.AssetSpec) -> dg.AssetSpec:
    name = ".".join(spec.key.path)
    columns = table_columns().get(name)
    if not columns:
        return spec
    schema = dg.TableSchema(
        [dg.TableColumn(column, kind, _sources().get((name, column))) for column, kind in columns.items()]
    )
    more: dict[str, Any] = {"dagster/column_schema": schema, "dagster/table_name": name}
    return spec.merge_attributes(metadata=more)


@cache
def table_columns() -> Mapping[str, Mapping[str, str]]:
    """Of every table that an asset stands for: its columns and their DuckDB types, by `schema.table`."""
    found = {f"core.{table.name}": dict(_columns_of(table)) for table in ALL_TABLES}
    for room in _MART_ROOMS:
        ddl = files(f"fullscript_pipeline.{room}").joinpath("sql", "marts.sql").read_text(encoding="utf-8")
        found |= columns_in(ddl)
    return found


def columns_in(ddl: str) -> dict[str, dict[str, str]]:
    """Tables and their columns in a text of CREATE TABLE statements."""
    plain = re.sub(r"--.*", "", ddl)
    made = re.findall(r"CREATE TABLE IF NOT EXISTS ([\w.]+) \((.*?)\);", plain, re.DOTALL)
    return {name: dict(_COLUMN.findall(" ".join(body.split()))) for name, body in made}


def _columns_of(table: Table) -> Iterator[tuple[str, str]]:
    types = {column.name: column.kind.value for column in table.columns}
    for name in table.key_columns:
        place = table.by_position and name == table.key[-1]
        yield name, "BIGINT" if place else types.get(name, "VARCHAR")
    yield from ((name, kind) for name, kind in types.items() if name not in table.key_columns)
    yield from (("extra", "JSON"), ("content_hash", "VARCHAR"))
    instants = ("observed_at", "removed_at", *(("valid_from",) if table.history else ()))
    yield from ((name, "TIMESTAMPTZ") for name in instants)


@cache
def _sources() -> Mapping[tuple[str, str], str]:
    """What a typed column is read from, as the vendor's record names it."""
    told = {}
    for table in ALL_TABLES:
        for column in table.columns:
            if column.source:
                told[f"core.{table.name}", column.name] = " or ".join(f"`{path}`" for path in column.source)
    return told
