"""`clinics set`: what a clinic's pages are like, the language and the time zone.

What does not belong here: which choice counts (`state.clinic_choices`).
"""

from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

import click

from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import print_message
from fullscript_pipeline.cli.options import CLINIC
from fullscript_pipeline.settings import LANGUAGES, Language, Settings, parse_time_zone
from fullscript_pipeline.state import StateStore, clinic_language, clinic_time_zone


class ZoneName(click.ParamType[ZoneInfo]):
    """A time zone of the IANA database."""

    name = "zone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        try:
            return parse_time_zone(str(value))
        except ValueError:
            close = get_close_matches(str(value), available_timezones(), n=3) or ["America/Toronto", "America/Chicago"]
            return self.fail(
                f"{value!r} is not a time zone; write a name of the IANA database, like {' or '.join(close)}.",
                param,
                ctx,
            )


@click.command(
    "set",
    help="Set the language and the time zone of CLINIC's pages (key or id).\n\n"
    "An option that you leave out changes nothing. A new `connect` keeps both values; `purge --clinic` deletes them.",
)
@click.argument("clinic", type=CLINIC)
@click.option("--language", type=click.Choice(LANGUAGES), help="The language of its pages and spreadsheets.")
@click.option("--time-zone", type=ZoneName(), metavar="ZONE", help="The zone of the times on its pages.")
@with_settings
def set_choices(settings: Settings, clinic: str, language: Language | None, time_zone: ZoneInfo | None) -> None:
    if language is None and time_zone is None:
        raise click.UsageError("Say what to set: --language, --time-zone or both.")
    settings.prepare_data_dir()
    with StateStore.open(settings) as store:
        chosen = store.clinics.find(clinic)
        store.choices.set(chosen, language=language, time_zone=time_zone)
        print_message(
            f"{chosen.clinic_key}: language {clinic_language(settings, store.choices, chosen)}, time zone "
            f"{clinic_time_zone(settings, store.choices, chosen)}. Its pages follow with the next pull, or run "
            f"`fullscript-pipeline report adherence --clinic {chosen.clinic_key}`.",
            bold=True,
        )
