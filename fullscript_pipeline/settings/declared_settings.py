"""The list of all settings with what is declared of each, for the documents, `doctor` and the sentence of a bad value.

What does not belong here: the declarations themselves (`declaration`, `servers`, `adherence`).
"""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from fullscript_pipeline.settings.adherence import AdherencePolicy
from fullscript_pipeline.settings.declaration import Settings
from fullscript_pipeline.settings.environment_source import NESTED, PREFIX, fields_of, variable_name
from fullscript_pipeline.settings.servers import SERVER_FIELDS, SERVER_NAMES, ServerSettings, variable_of


@dataclass(frozen=True, kw_only=True)
class DeclaredSetting:
    """One variable. `default` is Markdown, "" when there is none; `bounds` are of a whole number."""

    variable: str
    text: str
    default: str = ""
    bounds: tuple[int, int] | None = None
    is_secret: bool = False
    server: str | None = None


@cache
def declared_settings() -> Mapping[str, DeclaredSetting]:
    """Return every setting by its variable, in the order of their declaration."""
    own = [
        _declared(variable_name(name, field), field)
        for name, field in Settings.model_fields.items()
        if name not in NESTED
    ]
    servers = [
        _declared(variable_of(server, name.upper()), field, server)
        for server in SERVER_NAMES
        for name, field in fields_of(ServerSettings).items()
        if name in SERVER_FIELDS
    ]
    policy = [_declared(variable_name(name, field), field) for name, field in fields_of(AdherencePolicy).items()]
    return {setting.variable: setting for setting in (*servers, *own, *policy)}


def unknown_variables() -> dict[str, str | None]:
    """Return the names in the environment that look like settings and are none, each with the likeliest meant."""
    known = {variable.removeprefix(PREFIX): variable for variable in sorted(declared_settings())}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known.values())
    # The prefix says nothing of what was meant.
    close = {name: get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.7) for name in unknown}
    return {name: known[matches[0]] if matches else None for name, matches in close.items()}


def _declared(variable: str, field: FieldInfo, server: str | None = None) -> DeclaredSetting:
    lowest: Any = next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None)
    highest: Any = next((bound.le for bound in field.metadata if isinstance(bound, Le)), None)
    return DeclaredSetting(
        variable=variable,
        text=field.description or "",
        default=_shown_default(field),
        bounds=None if lowest is None or highest is None else (lowest, highest),
        is_secret=field.repr is False,
        server=server,
    )


def _shown_default(field: FieldInfo) -> str:
    extra: Any = field.json_schema_extra or {}
    if "shown_default" in extra:
        return str(extra["shown_default"])
    if isinstance(field.default, bool):
        return "`on`" if field.default else "`off`"
    return "" if field.default in (None, (), PydanticUndefined, MISSING) else f"`{field.default}`"
