"""Option types that several commands share.

What does not belong here: options of one command, and how a value is used.
"""

from datetime import date
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.servers import SERVERS

if TYPE_CHECKING:
    from fullscript_pipeline.settings import Settings
    from fullscript_pipeline.state import Clinic


class Day(click.ParamType[date]):
    """A calendar day, YYYY-MM-DD."""

    name = "day"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            return self.fail(f"{value!r} is not a day; write it like 2026-11-22", param, ctx)


class ClinicName(click.ParamType[str]):
    """A connected clinic, by key or id; the shell completes the keys."""

    name = "clinic"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            clinics = _connected_clinics()
        except PipelineError:
            return []
        named = ((clinic.clinic_key, clinic.name) for clinic in clinics)
        return [CompletionItem(key, help=name) for key, name in named if key.startswith(incomplete)]


@with_settings
def _connected_clinics(settings: "Settings") -> "list[Clinic]":
    from fullscript_pipeline.state import StateStore  # noqa: PLC0415 - a database library, which help need not wait for

    if not StateStore.exists(settings):
        return []
    with StateStore.open(settings, read_only=True) as store:
        return store.clinics.all()


class ServerName(click.ParamType[str]):
    """One of the vendor's servers, in any case, with `-` or `_`."""

    name = "env"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in SERVERS if name.startswith(incomplete.lower())]


DAY, CLINIC, SERVER = Day(), ClinicName(), ServerName()
CLINICS_HELP = "Only this clinic, by key or id. Repeatable. Default: all."
