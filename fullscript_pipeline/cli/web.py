"""`web serve` runs the portal, `web invite` makes a link with which a clinic comes aboard, `web audit` shows its log.

What does not belong here: the portal (`web`).
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fullscript_pipeline.acting_user import acting_user
from fullscript_pipeline.cli.console import print_data, print_message
from fullscript_pipeline.cli.options import SERVER
from fullscript_pipeline.cli.quiet_signals import quiet_signals
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.loopback import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from fullscript_pipeline.settings import Settings


@click.group(help="The portal, where clinicians sign in with Fullscript and see their clinic's pages.")
def web() -> None:
    pass


@web.command(
    "serve",
    help="Serve the portal until stopped; prints its address when it is ready. Start it without the encryption key.",
)
@click.option("--port", type=int, default=8768, show_default=True, help="0: the system chooses a free port.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on. TLS needs a proxy in front."
)
def serve_command(port: int, host: str) -> None:
    from fullscript_pipeline.web import configure, serve  # noqa: PLC0415 - nor a web server

    configuration = configure(_settings_without_key())
    if host not in LOOPBACK_HOSTS:
        print_message(f"Listening on {host} without TLS: put a proxy with a certificate before it.")

    def ready(address: str) -> None:
        print_message(f"Portal at {configuration.url} (listening on {address})")
        print_data(address)
        sys.stdout.flush()

    with quiet_signals():
        serve(configuration, host=host, port=port, on_ready=ready)


@web.command(
    "invite",
    help="Print a one-use link with which a user can connect their clinic, of server ENV, in the portal. Set "
    "FULLSCRIPT_WEB_KEY and FULLSCRIPT_WEB_URL as for the portal.",
)
@click.argument("env", type=SERVER)
@click.option("--days", type=click.IntRange(1, 60), default=7, show_default=True, help="How long the link is valid.")
def invite_command(env: str, days: int) -> None:
    from fullscript_pipeline.portal_store import make_invitation  # noqa: PLC0415
    from fullscript_pipeline.web import configure, opened_audit  # noqa: PLC0415

    settings = _settings_without_key()
    configuration, server = configure(settings), settings.server(env).name
    if server not in configuration.connecting_client_ids:
        raise ConfigurationError(
            f"Clinics of {server} cannot be connected in the portal: set FULLSCRIPT_REDIRECT_URI, and the redirect URI "
            f"of the pipeline's app, to {configuration.redirect_uri} (docs/portal.md, Connect a clinic)."
        )
    text = make_invitation(configuration.keys, server=server, ends_s=time.time() + days * 86400)
    actor = acting_user()
    with opened_audit(configuration) as audit:
        audit.append(
            "invitation made",
            server=server,
            days=days,
            os_user=actor["user"],
            host=actor["host"],
            login=actor.get("login", actor["user"]),
        )
    print_data(f"{configuration.url}/signin/{server}?invitation={text}")
    print_message(f"Valid for {days} days, for one clinic of {server}. Send it to the clinic's owner only.")


@web.command("audit", help="Print the portal's audit log, one JSON object per line; fail if it was changed.")
@click.option("--last", type=click.IntRange(1), default=None, help="Only the newest entries.")
def audit_command(last: int | None) -> None:
    from fullscript_pipeline.web import configure, opened_audit  # noqa: PLC0415

    with opened_audit(configure(_settings_without_key())) as audit:
        entries, damaged = audit.entries(), audit.damage()
    for entry in entries[-last:] if last else entries:
        print_data(json.dumps(entry, sort_keys=True))
    if damaged:
        numbers = ", ".join(map(str, damaged[:20]))
        raise ConfigurationError(
            f"The portal's audit log was changed: entry {numbers} does not follow from the others."
        )
    print_message(f"{len(entries)} entries, none changed or missing.")


def _settings_without_key() -> "Settings":
    """Raises ConfigurationError with the encryption key in reach.

    It is checked before the settings are made: they would read the key, or run the program that prints it.
    """
    from fullscript_pipeline.settings import complete_environment, load_settings  # noqa: PLC0415 - help needs no pydantic
    from fullscript_pipeline.web import refuse_encryption_key  # noqa: PLC0415 - nor a web server

    complete_environment(Path(".env"))
    refuse_encryption_key(os.environ)
    return load_settings()
