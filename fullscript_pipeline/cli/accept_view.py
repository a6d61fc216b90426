"""`clinics accept-view`: accepts that the connected user sees all data that the clinic has.

What does not belong here: marking rows and rebuilding pages (`maintenance.view_acceptance`).
"""

import click

from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.options import CLINIC
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse.loading import Acceptance, View


@click.command(
    "accept-view",
    help="Accept that what the connected user of CLINIC (key or id) sees is all the data that the clinic "
    "has.\n\nWhen a list is read by another user, or with fewer permissions than before, rows that only the earlier "
    "user saw are kept. This command counts the rows that are missing now, asks for confirmation, marks them "
    "removed and records it in ops.accepted_views. Rows of lists that were not read again yet are marked when the "
    "list is read. To get the rows back instead, `connect` as the earlier user with the permissions that `doctor` "
    "names, then pull.",
)
@click.argument("clinic", type=CLINIC)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_settings
def accept_view(settings: Settings, clinic: str, yes: bool) -> None:
    # The adherence room and the pages' templates, which help need not wait for.
    from fullscript_pipeline.maintenance import ViewAcceptance, present_view  # noqa: PLC0415

    settings.prepare_data_dir()
    with StateStore.open(settings) as store:
        chosen = store.clinics.find(clinic)
        view = present_view(store, chosen)
    acceptance = ViewAcceptance(settings=settings, warehouse=open_warehouse(settings), clinic=chosen, view=view)
    preview = acceptance.preview()
    if not preview.earlier:
        print_message(
            f"{chosen.clinic_key}: the connected user sees everything that earlier users saw; there is nothing to "
            "accept."
        )
        return
    _print_preview(chosen, view, preview)
    if not yes:
        click.confirm("Mark these rows removed, and use this view from now on?", abort=True, err=True)
    accepted = acceptance.accept()
    print_message(
        f"{chosen.clinic_key}: {counted(accepted.rows, 'row')} marked removed, and recorded in ops.accepted_views.",
        bold=True,
    )


def _print_preview(clinic: Clinic, view: View, preview: Acceptance) -> None:
    print_message(f"{clinic.clinic_key} is read as user {view.user_id or '(unknown)'} with {_scopes(view)}.")
    for earlier in sorted(preview.earlier, key=str):
        print_message(f"  It was read before as user {earlier.user_id or '(unknown)'} with {_scopes(earlier)}.")
    names = sorted({*preview.keys, *preview.unread})
    counts = [[name, len(preview.keys.get(name, [])), preview.unread.get(name, 0)] for name in names]
    print_data(format_columns(["table", "rows to remove now", "not read again yet"], counts))
    if preview.unread:
        print_message("Lists in the last column were not read again yet; rows that they lack are marked when they are.")
    for name, keys in preview.keys.items():
        shown = f"{', '.join(keys[:10])}{f' and {len(keys) - 10} more' if len(keys) > 10 else ''}"
        print_message(f"  {name}: {shown}")
    if preview.patients:
        print_message(f"The pages of {counted(len(preview.patients), 'patient')} and the clinic's lists will change.")


def _scopes(view: View) -> str:
    return " ".join(sorted(view.scopes)) or "unknown permissions"
