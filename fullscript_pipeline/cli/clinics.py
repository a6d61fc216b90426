"""`connect` and `clinics`. What does not belong here: `disconnect`,
`accept-view` and `set`, which have modules of their own."""

import json
import sys
import webbrowser
from datetime import datetime

import click

from fullscript_pipeline import clock
from fullscript_pipeline.api import ConnectFlow, ConnectResult
from fullscript_pipeline.cli.accept_view import accept_view
from fullscript_pipeline.cli.audited import DataSubjects, audit_logged
from fullscript_pipeline.cli.clinic_choices import set_choices
from fullscript_pipeline.cli.clinic_selection import no_clinic_message
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.options import SERVER
from fullscript_pipeline.encryption import require_good_keys
from fullscript_pipeline.secret_variables import hidden_secrets
from fullscript_pipeline.settings import Settings, encryption_keys
from fullscript_pipeline.state import TO_BE_REVOKED, Clinic, ClinicUser, StateStore, clinic_language, zone_with_source


@click.command(help="Connect a clinic of server ENV (us, ca, us-snd or ca-snd): sign in and approve in the browser.")
@click.argument("env", type=SERVER)
@click.option("--no-browser", is_flag=True, help="Do not open a browser; print the address to open.")
@click.option(
    "--paste",
    is_flag=True,
    help="For a redirect URI that is not on loopback: paste the address that the browser was redirected to.",
)
@with_settings
def connect(settings: Settings, env: str, no_browser: bool, paste: bool) -> None:
    server = settings.server(env)
    if settings.require_app(server).is_production and not StateStore.exists(settings):
        require_good_keys(encryption_keys(settings.encryption_key))  # before anything is made under it
    settings.prepare_data_dir()
    with StateStore.open(settings) as store:
        flow = ConnectFlow(settings, store, server)
        flow.check_addresses()
        with audit_logged(settings, "connect", whose=None) as record:
            connection = _connect_by_paste(flow) if paste else _connect_by_browser(flow, no_browser=no_browser)
            record.whose = DataSubjects(clinics=[connection.clinic])
    _print_connected(connection)


def _open_in_browser(address: str) -> bool:
    with hidden_secrets():  # the browser inherits the environment
        return webbrowser.open(address)


def _connect_by_paste(flow: ConnectFlow) -> ConnectResult:
    print_data(flow.authorize_url)
    return flow.paste(click.prompt("Paste the address that the browser was sent to", err=True))


def _connect_by_browser(flow: ConnectFlow, *, no_browser: bool) -> ConnectResult:
    with flow:
        print_data(flow.authorize_url)
        sys.stdout.flush()
        print_message("Open this address, sign in and approve; waiting up to ten minutes ...")
        if not no_browser:
            _open_in_browser(flow.authorize_url)
        return flow.wait()


def _print_connected(connection: ConnectResult) -> None:
    clinic = connection.clinic
    print_message(
        f"Connected {clinic.name or clinic.clinic_id} on {clinic.server} as {clinic.clinic_key!r}.", bold=True
    )
    print_message(f"  user    {connection.user_type} {connection.user_id}")
    print_message(f"  scopes  {' '.join(connection.scopes) or 'not reported by the server'}")
    for scope, cost in connection.missing_read_scopes.items():
        print_message(f"  missing {scope}: {cost}")
    if connection.write_scopes:
        print_message(
            f"  note    the app also has {' '.join(connection.write_scopes)}, which this pipeline does not need: "
            "remove it in the vendor's API dashboard."
        )


@click.group(
    invoke_without_command=True,
    help="List the connected clinics and the state of their tokens, one clinic per line. The exit code is 0 even when "
    "no clinic is connected or a clinic needs `connect`; `doctor` then exits with 77.",
)
@click.option("--users", is_flag=True, help="List the users who connected each clinic, and which of them is used.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.pass_context
@with_settings
def clinics(context: click.Context, settings: Settings, users: bool, as_json: bool) -> None:
    if context.invoked_subcommand:
        return
    rows, to_revoke, no_clinic = [], [], no_clinic_message(settings.data_dir, None)
    if StateStore.exists(settings):  # only looking: nothing is made where nothing is
        with StateStore.open(settings) as store:
            pairs = [
                (clinic, user)
                for clinic in store.revocations.clinics_to_disconnect()
                for user in store.revocations.users(clinic)
            ]
            to_revoke = [(clinic, user) for clinic, user in pairs if user.status == TO_BE_REVOKED]
            if users:
                rows = [_user_row(clinic, user) for clinic, user in pairs]
            else:
                rows = [_clinic_row(settings, store, clinic) for clinic in store.clinics.all()]
            no_clinic = no_clinic_message(settings.data_dir, store)
    if as_json:
        for row in rows:
            print_data(json.dumps(row))
        return
    if rows:
        columns = _USER_COLUMNS if users else _CLINIC_COLUMNS
        print_data(format_columns(list(columns), [[row[name] for name in columns.values()] for row in rows]))
    else:
        print_message(no_clinic)
    for row in rows:
        if row["reason"]:
            print_message(f"{row['clinic_key']}: {row['reason']}")
    for clinic, user in to_revoke:
        print_message(
            f"{clinic.clinic_key}: the server has not confirmed that the access of user "
            f"{user.user_id or '(unknown)'} is revoked: run `fullscript-pipeline disconnect {clinic.clinic_key}` again."
        )


clinics.add_command(accept_view)
clinics.add_command(set_choices)

# Header -> key of the JSON object.
_CLINIC_COLUMNS = {"clinic": "clinic_key"} | {name: name for name in ("name", "server", "status", "token")} | {
    "language": "language", "time zone": "time_zone", "scopes": "scopes"
}  # fmt: skip
_USER_COLUMNS = {"clinic": "clinic_key", "server": "server", "user": "user_id", "type": "user_type"} | {
    "status": "status", "used": "used", "token": "token", "patients": "patients_visible", "scopes": "scopes"
}  # fmt: skip


def _user_row(clinic: Clinic, user: ClinicUser) -> dict[str, str | int | None]:
    return {
        "clinic_key": clinic.clinic_key,
        "clinic_id": clinic.clinic_id,
        "server": clinic.server,
        "user_id": user.user_id,
        "user_type": user.user_type,
        "status": user.status,
        "used": "yes" if user.is_used else "",
        "reason": user.reason,
        "token": _format_token_life(user.expires_at) if user.status == "ok" else "none",
        "patients_visible": user.patients_visible,
        "scopes": " ".join(user.scopes),
    }


def _clinic_row(settings: Settings, store: StateStore, clinic: Clinic) -> dict[str, str | int | None]:
    grant = store.tokens.load_grant(clinic)
    zone, zone_source = zone_with_source(settings, store.choices.get(clinic))
    return {
        "clinic_key": clinic.clinic_key,
        "clinic_id": clinic.clinic_id,
        "name": clinic.name,
        "server": clinic.server,
        "region": clinic.region,
        "status": clinic.status,
        "reason": clinic.status_reason,
        "token": _format_token_life(grant.expires_at) if grant else "none",
        "scopes": " ".join(grant.scopes) if grant else "",
        "language": clinic_language(settings, store.choices, clinic),
        "time_zone": zone.key,
        "time_zone_source": zone_source,
    }


def _format_token_life(expires_at: datetime) -> str:
    minutes = int((expires_at - clock.real_now()).total_seconds() // 60)
    return f"{minutes} min left" if minutes >= 0 else "renewed at next use"
