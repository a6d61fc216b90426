"""`sandbox serve`, `sandbox advance`, and its misbehaviour: `sandbox fault`, `sandbox quirks`, `sandbox webhook`.

What does not belong here: how the sandbox behaves (`sandbox`).
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import click

from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.cli.sandbox_serving import sandbox_errors_as_ours, serve_sandbox
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.sandbox.client import SandboxControl, find_running
from fullscript_pipeline.sandbox.server import advance_offline
from fullscript_pipeline.settings import Settings


@click.group(help="Run a local Fullscript: the same API, invented people, its own clock.")
def sandbox() -> None:
    pass


@sandbox.command(
    "serve",
    help="Serve the sandbox on loopback until stopped, and print the settings that connect to it. Its clock and tokens "
    "survive a restart.",
)
@click.option("--port", type=int, default=8766, show_default=True, help="0: the system chooses a free port.")
@click.option("--seed", type=int, help="Random seed: each seed makes other people and products.")
@click.option("--clinics", type=int, help="Number of clinics.")
@click.option("--patients", type=int, help="Patients per clinic.")
@click.option("--products", type=int, help="Products per region.")
@click.option("--days", "history_days", type=int, help="Days of history before the day at which the clock starts.")
@click.option("--start", type=DAY, help="The day at which the sandbox's clock starts. Default: today.")
@click.option("--scopes", help="The scopes that the apps get, separated by spaces.")
@click.option("--token-seconds", type=int, help="Seconds until an access token expires.")
@click.option("--rate-limit", type=int, help="Requests that an app may make in a rolling window.")
@click.option("--rate-window", type=int, help="Length of that window in seconds.")
@click.option(
    "--assigned-patients-only",
    is_flag=True,
    default=None,
    help="Users other than the owner see only the patients assigned to them.",
)
@click.option("--quirks", help="Response variants to turn on: `all`, or names separated by commas (`sandbox quirks`).")
@with_settings
def serve_command(settings: Settings, port: int, **options: Any) -> None:
    settings.prepare_data_dir()
    serve_sandbox(settings, settings.sandbox_dir, port=port, **options)


@sandbox.command("advance", help="Move the sandbox's clock forward, and simulate the days in between.")
@click.option("--days", type=int, help="By this number of days.")
@click.option("--to", "to", type=DAY, help="To this day, YYYY-MM-DD.")
@with_settings
def advance_command(settings: Settings, days: int | None, to: date | None) -> None:
    if (days is None) == (to is None):
        raise click.UsageError("Give either --days or --to.")
    directory = settings.sandbox_dir
    with sandbox_errors_as_ours():
        control = find_running(directory)
        if control is None:
            summary = advance_offline(directory, days=days, to=to)
        else:
            with control:
                summary = control.advance(days=days, to=to)
    print_message(
        f"The sandbox's clock is at {summary['clock']}. To set the pipeline's clock to it: export "
        f"FULLSCRIPT_NOW={summary['clock']} (and restart `ui` if it runs)"
    )
    for what, number in sorted(summary["totals"].items()):
        print_data(f"{what.replace('_', ' ')}: {number}")


@sandbox.command("fault", help="Enable a fault of KIND. Without KIND, list all kinds and the enabled faults.")
@click.argument("kind", required=False)
@click.option("--endpoint", help="Only requests to endpoints of this pattern, such as /clinic/orders or /events/*.")
@click.option("--clinic", help="Only requests of this clinic (its slug in the sandbox).")
@click.option("--nth", type=int, help="From the nth matching request on.")
@click.option("--count", type=int, help="How many requests it affects; 0: all. Default: 1.")
@click.option("--probability", type=float, help="Probability that it affects a matching request, 0 to 1.")
@click.option("--seconds", type=float, help="Duration, for faults that delay a response.")
@click.option("--object", "objects", multiple=True, help="For `late_object`: the id of the late object. Repeatable.")
@click.option("--field", help="For `field_retyped`: the name of the field.")
@click.option("--value", help="For `field_retyped` and `odd_id`: the value to send instead, as JSON or plain text.")
@click.option("--clear", is_flag=True, help="Disable all faults.")
@with_settings
def fault_command(settings: Settings, kind: str | None, clear: bool, **rule: Any) -> None:
    with _running(settings) as control:
        if clear:
            control.disarm()
        if kind:
            parameters = {name: argument for name, argument in rule.items() if argument not in (None, ())}
            if "value" in parameters:
                parameters["value"] = _json_or_text(parameters["value"])
            control.arm(kind, **(parameters | ({"count": None} if parameters.get("count") == 0 else {})))
        faults = control.faults()
    rows = [[name, words] for name, words in faults["kinds"].items()]
    if not kind and not clear:
        print_data(format_columns(["kind", "what happens"], rows))
    for armed in faults.get("armed", []):
        print_data(json.dumps(armed))


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@sandbox.command(
    "quirks",
    help="Turn on these QUIRKS (response variants) and turn off all others; `all` and `none` work too. Without QUIRKS, "
    "list them.",
)
@click.argument("quirks", nargs=-1)
@with_settings
def quirks_command(settings: Settings, quirks: Sequence[str]) -> None:
    from fullscript_pipeline.sandbox.behaviour_switches import RESPONSE_VARIANTS  # noqa: PLC0415 - only this command needs the table

    if not quirks:
        print_data(format_columns(["quirk", "how it answers"], list(RESPONSE_VARIANTS.items())))
        return
    with _running(settings) as control:
        control.set_response_variants(*(quirk for quirk in quirks if quirk != "none"))
    print_message("Done.")


@sandbox.command(
    "webhook",
    help="Send webhooks for the events of SERVER to URL from now on. The sandbox checks URL first, signs each delivery "
    "and retries failed ones.",
)
@click.argument("server")
@click.argument("url")
@with_settings
def webhook_command(settings: Settings, server: str, url: str) -> None:
    with _running(settings) as control:
        print_data(json.dumps(control.set_webhook(server, url)))


@contextmanager
def _running(settings: Settings) -> Iterator[SandboxControl]:
    """The sandbox of this data directory. Raises UsageError when none runs."""
    with sandbox_errors_as_ours():
        control = find_running(settings.sandbox_dir)
        if control is None:
            raise UsageError("No sandbox runs in this data directory; start it with `sandbox serve`.")
        with control:
            yield control
