"""`disconnect`: revokes the access of clinics, or of one user.

What does not belong here: revoking at the server (`api.disconnect`).
"""

import click

from fullscript_pipeline.api import disconnect as disconnect_clinic
from fullscript_pipeline.cli.audited import DataSubjects, audit_logged
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import print_message
from fullscript_pipeline.cli.options import CLINIC
from fullscript_pipeline.errors import PipelineError, UsageError
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import TO_BE_REVOKED, Clinic, StateStore


@click.command(
    help="Revoke the access of CLINIC (key or id) at the server, then delete its tokens here. Its data stay. When "
    "the server does not confirm the revocation, the tokens are kept but not used: run the command again. When it "
    "can never be confirmed, because the app is deleted at the vendor, use --give-up."
)
@click.argument("clinic", type=CLINIC, required=False)
@click.option("--all", "everything", is_flag=True, help="Disconnect every clinic.")
@click.option("--user", metavar="U", help="Only this user of the clinic, by id (`clinics --users` lists the users).")
@click.option(
    "--give-up",
    is_flag=True,
    help="Try to revoke once more, then delete the tokens even if the server does not confirm. They cannot be revoked "
    "later.",
)
@with_settings
def disconnect(settings: Settings, clinic: str | None, everything: bool, user: str | None, give_up: bool) -> int:
    if bool(clinic) == everything or (everything and (user is not None or give_up)):
        raise click.UsageError("Name one clinic (and with --user one of its users), or --all.")
    settings.prepare_data_dir()
    code = 0
    with StateStore.open(settings) as store:
        chosen = store.revocations.clinics_to_disconnect() if everything else [_find_clinic(store, clinic or "")]
        user_ids = _users_to_revoke(store, chosen[0], user) if give_up else []
        with audit_logged(
            settings, "disconnect --give-up" if give_up else "disconnect", whose=DataSubjects(clinics=chosen)
        ) as record:
            for user_id in user_ids:
                _give_up(settings, store, chosen[0], user_id)
            for clinic_to_disconnect in () if give_up else chosen:
                code = max(code, _disconnect(settings, store, clinic_to_disconnect, user))
            record.exit_code = code
    return code


def _disconnect(settings: Settings, store: StateStore, clinic: Clinic, user: str | None) -> int:
    """Prints the outcome; returns the exit code."""
    try:
        outcome = disconnect_clinic(settings, store, clinic, user)
    except PipelineError as error:
        print_message(f"{clinic.clinic_key}: {error}")
        return error.exit_code
    print_message(f"{_label(clinic, user)}: {'disconnected.' if outcome.not_revoked is None else outcome.not_revoked}")
    return outcome.exit_code


def _users_to_revoke(store: StateStore, clinic: Clinic, user: str | None) -> list[str]:
    """The users whose access is still to be revoked. Raises UsageError when there are none."""
    user_ids = [
        known.user_id
        for known in store.revocations.users(clinic)
        if known.status == TO_BE_REVOKED and user in (None, known.user_id)
    ]
    if not user_ids:
        raise UsageError(
            f"{_label(clinic, user)} has no unconfirmed revocation, so there is nothing to give up: run "
            f"`fullscript-pipeline disconnect {clinic.clinic_key}` first."
        )
    return user_ids


def _give_up(settings: Settings, store: StateStore, clinic: Clinic, user: str) -> None:
    """Tries to revoke once more, then deletes the tokens and prints what that means."""
    try:
        reason = disconnect_clinic(settings, store, clinic, user).not_revoked
    except PipelineError as error:
        reason = str(error)
    if reason is None:
        print_message(f"{_label(clinic, user)}: disconnected; the server has confirmed it now.")
        return
    store.revocations.forget_grant(clinic, user)
    print_message(
        f"{_label(clinic, user)}: given up. Its tokens are deleted here, but the server has not confirmed that the "
        "access is revoked. Copies of the tokens (in backups of this data directory) may still work, and this "
        "program cannot revoke them any more. Remove the app in the Fullscript web app, or ask the vendor whether it "
        f"is deleted. The last answer was: {reason}"
    )


def _label(clinic: Clinic, user: str | None) -> str:
    return clinic.clinic_key if user is None else f"{clinic.clinic_key}, user {user or '(unknown)'}"


def _find_clinic(store: StateStore, id_or_key: str) -> Clinic:
    """A connected clinic, or one that is removed but for a grant that is still to be revoked. Raises UsageError."""
    known = store.revocations.clinics_to_disconnect()
    to_revoke = [
        clinic
        for clinic in known
        if clinic.status == "removed" and id_or_key.strip() in {clinic.clinic_key, clinic.clinic_id}
    ]
    return to_revoke[0] if len(to_revoke) == 1 else store.clinics.find(id_or_key)
