"""`disconnect`: takes the access of clinics, or of one user, away. What does not belong here: how (`api.connect`)."""

import click

from fullscript_pipeline.api.connect import disconnect as disconnect_clinic
from fullscript_pipeline.cli.audited import Whose, recorded
from fullscript_pipeline.cli.options import CLINIC
from fullscript_pipeline.cli.say import talk
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Clinic, StateStore


@click.command(
    help="Revoke the grants of CLINIC (key or id) at the server, then forget them. Its data stay. What the server does "
    "not confirm is not used any more, and kept to be revoked: run it again."
)
@click.argument("clinic", type=CLINIC, required=False)
@click.option("--all", "everything", is_flag=True, help="Every clinic.")
@click.option("--user", metavar="U", help="Only this user of the clinic, by id: `clinics --users` lists them.")
def disconnect(clinic: str | None, everything: bool, user: str | None) -> int:
    if bool(clinic) == everything or (everything and user is not None):
        raise click.UsageError("Name one clinic (and with --user one of its users), or --all.")
    settings = load_settings()
    settings.prepare_data_dir()
    code = 0
    with StateStore(settings.state_path, settings.encryption_key) as store:
        chosen = store.clinics_to_disconnect() if everything else [_clinic(store, clinic or "")]
        with recorded(settings, "disconnect", whose=Whose(chosen)) as record:
            for one in chosen:
                code = max(code, _disconnect(settings, store, one, user))
            record.exit_code = code
    return code


def _disconnect(settings: Settings, store: StateStore, clinic: Clinic, user: str | None) -> int:
    """Says what became of it; the exit code."""
    try:
        result = disconnect_clinic(settings, store, clinic, user)
    except PipelineError as error:
        talk(f"{clinic.clinic_key}: {error}")
        return error.exit_code
    whom = clinic.clinic_key if user is None else f"{clinic.clinic_key}, user {user}"
    talk(f"{whom}: {'disconnected.' if result.not_revoked is None else result.not_revoked}")
    return result.exit_code


def _clinic(store: StateStore, id_or_key: str) -> Clinic:
    """A connected clinic, or one that is removed but for a grant that is still to be revoked. Raises UsageError."""
    known = store.clinics_to_disconnect()
    owing = [one for one in known if one.status == "removed" and id_or_key.strip() in {one.clinic_key, one.clinic_id}]
    return owing[0] if len(owing) == 1 else store.clinic(id_or_key)
