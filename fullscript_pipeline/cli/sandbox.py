"""`sandbox serve` and `sandbox advance`."""

import sys
import threading
from datetime import date

import click

from fullscript_pipeline.cli.options import DAY
from fullscript_pipeline.cli.say import data, talk
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.sandbox.client import find_running
from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.server import advance_offline, serve
from fullscript_pipeline.settings import load_settings


@click.group(help="The local Fullscript: same API, invented people, a clock of its own.")
def sandbox() -> None:
    pass


@sandbox.command("serve", help="Serve it on loopback until stopped. Its clock and grants survive a restart.")
@click.option("--port", type=int, default=8766, show_default=True, help="0 lets the system choose.")
@click.option("--seed", type=int, help="Another seed, another world.")
@click.option("--clinics", type=int)
@click.option("--patients", type=int, help="Per clinic.")
@click.option("--products", type=int, help="Per region.")
@click.option("--days", "history_days", type=int, help="Days of history before its first present day.")
def serve_command(
    port: int,
    seed: int | None,
    clinics: int | None,
    patients: int | None,
    products: int | None,
    history_days: int | None,
) -> None:
    settings = load_settings()
    settings.prepare_data_dir()
    try:
        serve(
            settings.sandbox_dir,
            port=port,
            seed=seed,
            clinics=clinics,
            patients=patients,
            products=products,
            history_days=history_days,
            redirect_uri=settings.redirect_uri,
            # In a thread of its own: the server cannot answer us while it waits for this call.
            on_ready=lambda url: threading.Thread(target=_tell, args=(url,), daemon=True).start(),
        )
    except SandboxError as error:
        raise UsageError(str(error)) from None


def _tell(base_url: str) -> None:
    data(f"sandbox ready {base_url}")
    settings = load_settings()
    control = find_running(settings.sandbox_dir)
    if control is None:
        return
    with control:
        for name, server in control.state()["servers"].items():
            prefix = f"FULLSCRIPT_{name.upper().replace('-', '_')}_"
            for key in ("client_id", "client_secret", "api_url", "authorize_url"):
                data(f"{prefix}{key.upper()}={server[key]}")
    sys.stdout.flush()


@sandbox.command("advance", help="Move its clock forward; what the days bring happens.")
@click.option("--days", type=int)
@click.option("--to", "to", type=DAY, help="A day, YYYY-MM-DD.")
def advance_command(days: int | None, to: date | None) -> None:
    if (days is None) == (to is None):
        raise click.UsageError("Give either --days or --to.")
    settings = load_settings()
    try:
        control = find_running(settings.sandbox_dir)
        if control is None:
            summary = advance_offline(settings.sandbox_dir, days=days, to=to)
        else:
            with control:
                summary = control.advance(days=days, to=to)
    except SandboxError as error:
        raise UsageError(str(error)) from None
    talk(f"The sandbox's clock is at {summary['clock']}.")
    for what, number in sorted(summary["totals"].items()):
        data(f"{what.replace('_', ' ')}: {number}")
