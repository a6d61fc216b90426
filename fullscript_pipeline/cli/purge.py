"""`purge`: removes a clinic or a person from everything in the data directory.

What does not belong here: the removal itself (`maintenance.erasure`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fullscript_pipeline.api import disconnect
from fullscript_pipeline.cli.audited import DataSubjects, audit_logged
from fullscript_pipeline.cli.clinic_selection import find_known_clinic
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore

if TYPE_CHECKING:
    from fullscript_pipeline.maintenance import Purged


@click.command(
    help="Remove a clinic, or one patient, from landing files, warehouse, history, pages, published copies and the "
    "state store. Later pulls do not store the patient again.",
)
@click.option("--clinic", "clinic_key", metavar="CLINIC", help="The clinic to remove, by key or id.")
@click.option("--patient", nargs=2, metavar="CLINIC ID", help="The patient to remove, by clinic and Fullscript's id.")
@click.option("--disconnect", "disconnects", is_flag=True, help="With --clinic: revoke its access first.")
@click.option("--undo", is_flag=True, help="With --patient: allow pulls to store a purged patient again.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_settings
def purge(
    settings: Settings,
    clinic_key: str | None,
    patient: tuple[str, str] | None,
    disconnects: bool,
    undo: bool,
    yes: bool,
) -> int:
    if bool(clinic_key) == bool(patient):
        raise click.UsageError("Name one clinic with --clinic, or one patient with --patient CLINIC ID.")
    if undo and not patient:
        raise click.UsageError("--undo goes with --patient CLINIC ID: to get a clinic back, `connect` it.")
    settings.prepare_data_dir()
    if undo and patient:
        _undo(settings, *patient)
        return 0
    with StateStore.open(settings) as store:
        clinic = find_known_clinic(store, clinic_key or (patient or ("", ""))[0])
        patient_id = patient[1] if patient else None
        if patient_id is None and clinic.status != "removed" and not disconnects:
            raise UsageError(
                f"Clinic {clinic.clinic_key} is still connected, so the next pull would store it again: run "
                f"`fullscript-pipeline disconnect {clinic.clinic_key}` first, or add --disconnect."
            )
        return _confirm_and_purge(settings, store, clinic, patient_id=patient_id, disconnects=disconnects, yes=yes)


def _confirm_and_purge(
    settings: Settings, store: StateStore, clinic: Clinic, *, patient_id: str | None, disconnects: bool, yes: bool
) -> int:
    what = f"patient {patient_id} of {clinic.clinic_key}" if patient_id else f"clinic {clinic.clinic_key}"
    if not yes:
        click.confirm(f"Remove {what} from {settings.data_dir}? It cannot be undone.", abort=True, err=True)
    code = 0
    with audit_logged(settings, "purge", whose=DataSubjects(clinics=[clinic], patient_id=patient_id)) as record:
        if patient_id is None and disconnects and _has_grants(store, clinic):
            outcome = disconnect(settings, store, clinic)
            code = record.exit_code = outcome.exit_code
            if outcome.not_revoked:
                print_message(outcome.not_revoked)
        record.rows = _purge(settings, store, clinic=clinic, patient_id=patient_id, what=what)
    if patient_id is None and _has_grants(store, clinic):
        print_message(
            f"The server has not confirmed that the access of {clinic.clinic_key} is revoked, so its tokens "
            f"(unused) and the clinic's name are kept: run `fullscript-pipeline disconnect {clinic.clinic_key}`, "
            "then `purge` again."
        )
    return code


def _describe_remaining_copies(purged: "Purged") -> Iterator[str]:
    """A sentence for each place that may still hold the person or the clinic."""
    for folder in purged.backups:
        if folder.exists():
            yield f"The backup {folder} is older and may still hold them: delete it as soon as your rules allow."
    away: dict[Path, int] = {}
    for folder in purged.backups:
        if not folder.exists():
            away[folder.parent] = away.get(folder.parent, 0) + 1
    for parent, number in away.items():
        yield (
            f"{counted(number, 'backup')} written to {parent} {'is' if number == 1 else 'are'} not there now: if kept "
            f"elsewhere, {'it' if number == 1 else 'they'} may still hold the removed data."
        )
    for place in purged.exports:
        yield f"Files were exported to {place} before: delete those that are still there."
    yield "Copies that were made by other means outside the data directory are not removed."


def _undo(settings: Settings, clinic_name: str, patient_id: str) -> None:
    with StateStore.open(settings) as store:
        clinic = find_known_clinic(store, clinic_name)
        with audit_logged(settings, "purge --undo", whose=DataSubjects(clinics=[clinic], patient_id=patient_id)):
            if not store.purged.forget(clinic, patient_id):
                raise UsageError(f"Patient {patient_id} of {clinic.clinic_key} is not purged: nothing was changed.")
    print_message(f"Pulls may store patient {patient_id} of {clinic.clinic_key} again.", bold=True)
    print_message(
        f"The next pull stores what Fullscript still has of them; orders older than {settings.orders_trailing_days} "
        f"days follow within {settings.sweep_days} days."
    )


def _has_grants(store: StateStore, clinic: Clinic) -> bool:
    return any(connected.clinic_key == clinic.clinic_key for connected in store.revocations.clinics_to_disconnect())


def _purge(settings: Settings, store: StateStore, clinic: Clinic, patient_id: str | None, what: str) -> int:
    """Prints what was removed; returns how many rows and files."""
    # Dagster and the pages' templates: help does not need them.
    from fullscript_pipeline.maintenance import purge_everywhere  # noqa: PLC0415
    from fullscript_pipeline.orchestration.runtime import open_instance  # noqa: PLC0415
    from fullscript_pipeline.web import erase_from_portal  # noqa: PLC0415

    warehouse = open_warehouse(settings)
    purged = purge_everywhere(settings, warehouse, store=store, clinic=clinic, patient_id=patient_id)
    counts = dict(purged.counts)
    if in_portal := erase_from_portal(
        settings.portal_path, server=clinic.server, clinic_id=clinic.clinic_id, patient_id=patient_id
    ):
        counts["portal"] = in_portal
    if not counts:
        if patient_id and store.purged.contains(clinic, patient_id):
            raise UsageError(f"{settings.data_dir} holds nothing of {what}: they were purged before, and stay purged.")
        raise UsageError(f"{settings.data_dir} holds nothing of {what}: check the id.")
    if patient_id is None:
        open_instance(settings).delete_dynamic_partition("clinics", clinic.clinic_key)
    print_data(format_columns(["where", "removed"], [[place, number] for place, number in sorted(counts.items())]))
    print_message(f"Removed {what}. ops.purges has a line about it, without names.", bold=True)
    if patient_id:
        print_message(
            "Fullscript still has this patient's data, but no pull stores it again. To undo that, run "
            f"`fullscript-pipeline purge --patient {clinic.clinic_key} {patient_id} --undo`."
        )
    for reason in purged.failed_copies:
        print_message(f"A copy for analysts was removed but could not be written again. {reason}")
    for sentence in _describe_remaining_copies(purged):
        print_message(sentence)
    return sum(counts.values())
