"""Where Settings takes its values from: one environment variable for each field, by its exact name.

pydantic-settings' own source reads names in any case and lists as JSON; a data directory of today needs neither. What
does not belong here: what a text means (`value_types`).
"""

import dataclasses
import os
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from fullscript_pipeline.encryption import key_source
from fullscript_pipeline.settings.adherence import AdherencePolicy
from fullscript_pipeline.settings.servers import SERVER_FIELDS, SERVER_NAMES, complete_server, variable_of
from fullscript_pipeline.settings.value_types import split_commas

PREFIX = "FULLSCRIPT_"
# Fields that several variables make together.
NESTED = frozenset({"servers", "adherence"})


class EnvironmentSource(PydanticBaseSettingsSource):
    """The texts of all variables that are set; what they mean is up to the fields."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return read_text(variable_name(field_name, field), field), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        texts = _given({name: read_text(variable_name(name, field), field) for name, field in fields.items()})
        policy = {
            field.alias or name: read_text(variable_name(name, field))
            for name, field in fields_of(AdherencePolicy).items()
        }
        return {
            **texts,
            **_given({"encryption_key": key_source.read_key(f"{PREFIX}ENCRYPTION_KEY")}),
            "servers": {name: _server(name, texts) for name in SERVER_NAMES},
            "adherence": _given(policy),
        }


def _server(name: str, texts: dict[str, Any]) -> dict[str, Any]:
    own = _given({field: read_text(variable_of(name, field.upper())) for field in SERVER_FIELDS})
    # One receiver may serve several servers with what they share.
    shared: dict[str, Any] = {
        field: texts[field] for field in ("webhook_challenge_token", "webhook_signature_keys") if field in texts
    }
    hosts = split_commas(texts.get("allowed_api_hosts", "").lower())
    return complete_server(name, own, {**shared, "allowed_hosts": hosts})


def _given(texts: dict[str, str | None]) -> dict[str, Any]:
    return {name: text for name, text in texts.items() if text is not None}


def variable_name(name: str, field: FieldInfo) -> str:
    """Return the environment variable of a field."""
    return f"{PREFIX}{(field.alias or name).upper()}"


def read_text(variable: str, field: FieldInfo | None = None) -> str | None:
    """Return the value without its outer spaces; None when it is not set or empty. A folder keeps its spaces."""
    text = os.environ.get(variable, "")
    return (text if field and field.annotation is Path else text.strip()) or None


@cache
def fields_of(declaration: type[Any]) -> dict[str, FieldInfo]:
    """Return what a dataclass declares of its fields, as pydantic sees it."""
    hints = get_type_hints(declaration, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(declaration)}
    found = {name: FieldInfo.from_annotated_attribute(hints[name], field.default) for name, field in fields.items()}
    for name, field in fields.items():
        found[name].repr = field.repr
    return found
