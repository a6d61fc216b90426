"""`quarantine`: lists records that could not be loaded, and loads them again.

What does not belong here: loading (`warehouse.loading`).
"""

import json
from collections.abc import Sequence

import click

from fullscript_pipeline import clock
from fullscript_pipeline.cli.audited import STANDARD_OUTPUT, audit_logged
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.maintenance import stored_warehouse
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.loading import QuarantinedRecord, open_records


@click.group(help="List records that could not be loaded, or load them again.")
def quarantine() -> None:
    pass


@quarantine.command("list", help="List the records in quarantine, with the reason.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--show-record", is_flag=True, help="Print the record as received too. It may hold health data.")
@with_settings
def list_command(settings: Settings, as_json: bool, show_record: bool) -> None:
    with stored_warehouse(settings).read() as con:
        rows = open_records(con)
    if show_record:
        with audit_logged(settings, "quarantine list --show-record", destination=STANDARD_OUTPUT) as record:
            _print(rows, as_json=as_json, show_record=True)
            record.rows = len(rows)
    else:
        _print(rows, as_json=as_json, show_record=False)
    print_message(f"{counted(len(rows), 'record')} in quarantine." if rows else "Nothing is in quarantine.")


def _print(records: Sequence[QuarantinedRecord], *, as_json: bool, show_record: bool) -> None:
    if as_json:
        for record in records:
            print_data(json.dumps(_as_json(record, show_record), default=str))
    elif records:
        headers = ("table", "record", "clinic", "since", "reason")
        print_data(format_columns(headers, [(*_as_json(record, show_record=False).values(),) for record in records]))
        if show_record:
            for record in records:
                print_data(f"\n{record.table} {record.record_key}:\n{record.record}")


@quarantine.command(
    "replay",
    help="Load the records and fields in quarantine again with this version. Exit code 1 when some cannot be loaded "
    "yet.",
)
@with_settings
def replay_command(settings: Settings) -> int:
    warehouse = stored_warehouse(settings)
    with warehouse.read():  # raises an error when there is none yet
        pass
    keys: dict[str, str] = {}
    if StateStore.exists(settings):
        with StateStore.open(settings) as store:
            keys = {clinic.clinic_id: clinic.clinic_key for clinic in store.clinics.all()}
    from fullscript_pipeline.warehouse.loading import replay  # noqa: PLC0415 - Arrow: help does not need it
    from fullscript_pipeline.warehouse.upgrades import retype  # noqa: PLC0415 - likewise

    with warehouse.write() as con:
        fields, done = retype(con), replay(con, clock.now(), keys)
    if fields:
        print_message(f"Fields of {counted(fields, 'row')} that an older version could not parse are loaded now.")
    if not done:
        print_message("Nothing is in quarantine.")
        return 0
    rows = [
        (replayed.table, keys.get(replayed.clinic_id or "", replayed.clinic_id), replayed.loaded, replayed.left)
        for replayed in done
    ]
    print_data(format_columns(("table", "clinic", "loaded", "left"), rows))
    left = sum(replayed.left for replayed in done)
    if left:
        print_message(
            f"{counted(left, 'record')} still cannot be loaded; `fullscript-pipeline quarantine list` shows why."
        )
    if any(replayed.loaded for replayed in done):
        print_message("The pages show them after the next pull or `fullscript-pipeline report adherence`.")
    return 1 if left else 0


def _as_json(record: QuarantinedRecord, show_record: bool) -> dict[str, object]:
    fields: dict[str, object] = {
        "table": record.table,
        "record": record.record_key,
        "clinic": record.clinic_id or record.region,
        "since": record.seen_at.strftime("%Y-%m-%d %H:%M UTC"),
        "reason": record.reason,
    }
    return fields | {"content": record.record} if show_record else fields
