"""The reference that the UI's server shows: every table, its columns, and the endpoints that its rows come from.

It is made from the assets and from the description of the API, so that it needs no copy of docs/. What does not belong
here: what a table or a column means (the assets, `column_meanings.toml`), who may read it (`ui_access`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import dagster as dg
import jinja2
from markupsafe import Markup, escape

from fullscript_pipeline.api.description import load_description
from fullscript_pipeline.orchestration.assets import ALL_ASSETS, VENDOR_DOCS, with_columns
from fullscript_pipeline.orchestration.checks import OPERATIONS
from fullscript_pipeline.resources import ALL_RESOURCES


@dataclass(frozen=True, kw_only=True)
class EndpointText:
    """An endpoint as the API's description has it."""

    path: str
    summary: str
    scope: str
    restricted: bool
    parameters: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TableText:
    """A table or a set of files. `description`: the first part of the asset's."""

    name: str
    description: str
    group: str
    columns: Sequence[dg.TableColumn]
    endpoints: tuple[EndpointText, ...]


@cache
def reference_page() -> str:
    """The whole page, as HTML."""
    source = files(__package__).joinpath("reference.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["code"] = _code_marked
    return environment.from_string(source).render(tables=_tables(), vendor_docs=VENDOR_DOCS)


def _code_marked(text: str | None) -> Markup:
    """The text as HTML; what is in backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text or ""))))  # noqa: S704 -- escaped before


def _tables() -> list[TableText]:
    specs = [*(spec for asset in ALL_ASSETS for spec in asset.specs), *OPERATIONS]
    return sorted((_table(with_columns(spec)) for spec in specs), key=lambda table: table.name)


def _table(spec: dg.AssetSpec) -> TableText:
    name = ".".join(spec.key.path)
    return TableText(
        name=name,
        description=(spec.description or "").partition("\n\n")[0],
        group=spec.group_name or "",
        columns=spec.metadata["dagster/column_schema"].columns,
        endpoints=tuple(_endpoints(name)),
    )


def _endpoints(table: str) -> Iterator[EndpointText]:
    """The endpoints that fill a table of `core`."""
    paths = load_description()["paths"]
    for resource in ALL_RESOURCES:
        if table in {f"core.{name}" for name in resource.table_names}:
            for endpoint in resource.all_endpoints:
                described: dict[str, Any] = paths.get(endpoint.path, {}).get("get", {})
                yield EndpointText(
                    path=endpoint.path,
                    summary=described.get("summary", ""),
                    scope=endpoint.scope or "not documented",
                    restricted=endpoint.restricted,
                    parameters=endpoint.filters,
                )
