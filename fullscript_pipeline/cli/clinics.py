"""`connect`, `clinics`, `disconnect`."""

import json
import sys
import webbrowser
from datetime import datetime

import click

from fullscript_pipeline import clock
from fullscript_pipeline.api.connect import ConnectFlow, ConnectResult
from fullscript_pipeline.api.connect import disconnect as disconnect_clinic
from fullscript_pipeline.cli.chosen import nobody_in
from fullscript_pipeline.cli.options import CLINIC, SERVER
from fullscript_pipeline.cli.say import data, table, talk
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import Clinic, StateStore


@click.command(help="Connect a clinic of server ENV (us, ca, us-snd, ca-snd): a person approves in the browser.")
@click.argument("env", type=SERVER)
@click.option("--no-browser", is_flag=True, help="Only print the address to open.")
@click.option("--paste", is_flag=True, help="For a redirect URI that is not loopback: paste the address it ended at.")
def connect(env: str, no_browser: bool, paste: bool) -> None:
    settings = load_settings()
    server = settings.server(env)
    settings.require_app(server)
    settings.prepare_data_dir()
    with StateStore(settings.state_path, settings.encryption_key) as store:
        flow = ConnectFlow(settings, store, server)
        if paste:
            data(flow.authorize_url)
            result = flow.paste(click.prompt("Paste the address that the browser was sent to", err=True))
        else:
            with flow:
                data(flow.authorize_url)
                sys.stdout.flush()
                talk("Open this address, sign in and approve; waiting up to ten minutes ...")
                if not no_browser:
                    webbrowser.open(flow.authorize_url)
                result = flow.wait()
    _tell(result)


def _tell(result: ConnectResult) -> None:
    clinic = result.clinic
    talk(f"Connected {clinic.name or clinic.clinic_id} on {clinic.server} as {clinic.clinic_key!r}.", bold=True)
    talk(f"  user    {result.user_type} {result.user_id}")
    talk(f"  scopes  {' '.join(result.scopes) or 'not told by the server'}")
    for scope, cost in result.missing_read_scopes.items():
        talk(f"  missing {scope}: {cost}")
    if result.write_scopes:
        talk(
            f"  note    the app was also given {' '.join(result.write_scopes)}, which nothing here needs; take it away "
            "in the vendor's API dashboard."
        )


@click.command(
    help="The connected clinics and the health of their tokens, one a line. It only lists: exit code 0 also when "
    "there is none or one needs `connect`; `doctor` answers 77 then."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def clinics(as_json: bool) -> None:
    settings = load_settings()
    rows, nobody = [], nobody_in(settings.data_dir, None)
    if settings.state_path.exists():  # only looking: nothing is made where nothing is
        with StateStore(settings.state_path, settings.encryption_key) as store:
            rows = [_health(store, clinic) for clinic in store.clinics()]
            nobody = nobody_in(settings.data_dir, store)
    if as_json:
        for row in rows:
            data(json.dumps(row))
        return
    if not rows:
        talk(nobody)
        return
    headers = ["clinic", "name", "server", "status", "token", "scopes"]
    data(
        table(
            headers,
            [[row[name] for name in ("clinic_key", "name", "server", "status", "token", "scopes")] for row in rows],
        )
    )
    for row in rows:
        if row["reason"]:
            talk(f"{row['clinic_key']}: {row['reason']}")


def _health(store: StateStore, clinic: Clinic) -> dict[str, str | None]:
    grant = store.load_grant(clinic)
    return {
        "clinic_key": clinic.clinic_key,
        "clinic_id": clinic.clinic_id,
        "name": clinic.name,
        "server": clinic.server,
        "region": clinic.region,
        "status": clinic.status,
        "reason": clinic.status_reason,
        "token": _life(grant.expires_at) if grant else "none",
        "scopes": " ".join(grant.scopes) if grant else "",
    }


def _life(expires_at: datetime) -> str:
    minutes = int((expires_at - clock.real_now()).total_seconds() // 60)
    return f"{minutes} min left" if minutes >= 0 else "renewed at next use"


@click.command(help="Revoke the grant of CLINIC (key or id) at the server, then forget it. Its data stay.")
@click.argument("clinic", type=CLINIC, required=False)
@click.option("--all", "everything", is_flag=True, help="Every clinic.")
def disconnect(clinic: str | None, everything: bool) -> int:
    if bool(clinic) == everything:
        raise click.UsageError("Name one clinic, or --all.")
    settings = load_settings()
    settings.prepare_data_dir()
    code = 0
    with StateStore(settings.state_path, settings.encryption_key) as store:
        for one in store.clinics() if everything else [store.clinic(clinic or "")]:
            try:
                result = disconnect_clinic(settings, store, one)
            except PipelineError as error:
                talk(str(error))
                code = error.exit_code
                continue
            talk(f"{one.clinic_key}: disconnected.")
            if result.not_revoked:
                talk(f"  {result.not_revoked}")
                code = 1
    return code
