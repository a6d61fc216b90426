"""`webhooks serve`, `webhooks status` and `webhooks inbox list | replay | ignore`.

What does not belong here: receiving (`webhooks`), rows (`state`), handling (`refresh`).
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from fullscript_pipeline.cli.audited import STANDARD_OUTPUT, audit_logged
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.cli.quiet_signals import quiet_signals
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.loopback import LOOPBACK_HOSTS
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Delivery, StateStore


@click.group(help="Receive webhooks; list, retry or ignore received deliveries.")
def webhooks() -> None:
    pass


@webhooks.command(
    "serve",
    help="Receive webhooks until stopped. Prints the address to register at the vendor, one line per server.",
)
@click.option("--port", type=int, default=8767, show_default=True, help="0: the system chooses a free port.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on. TLS needs a proxy in front."
)
@with_settings
def serve_command(settings: Settings, port: int, host: str) -> None:
    from fullscript_pipeline.webhooks import configured_endpoints, serve  # noqa: PLC0415 - the inbox needs no web server

    settings.prepare_data_dir()
    if host not in LOOPBACK_HOSTS:
        print_message(
            f"Listening on {host} without TLS: the vendor requires HTTPS, and health data must not travel unencrypted."
        )
    with StateStore.open(settings) as store, quiet_signals():
        endpoints, warnings = configured_endpoints(settings, store)
        for warning in warnings:
            print_message(warning)

        def ready(base_url: str) -> None:
            for endpoint in endpoints:
                print_data(f"{endpoint.server} {base_url}{endpoint.path}")
            sys.stdout.flush()

        most = settings.webhook_inbox_bytes
        serve(endpoints, store, host=host, port=port, inbox_bytes=most, on_ready=ready, log=print_message)


@webhooks.command("status", help="Show how many deliveries wait in the inbox, since when, and how full the inbox is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@with_settings
def status_command(settings: Settings, as_json: bool) -> None:
    from fullscript_pipeline.refresh import measure_inbox  # noqa: PLC0415 - the other commands need no DuckDB

    with _store(settings) as store:
        room = measure_inbox(settings, store)
    if as_json:
        fields = {
            "waiting": room.size.waiting,
            "waiting_bytes": room.size.waiting_bytes,
            "waiting_since": room.size.since.isoformat() if room.size.since else None,
            "most_bytes": room.most_bytes,
            "is_full": room.is_full,
        }
        print_data(json.dumps(fields))
    else:
        print_data(f"The inbox: {room.sentence}.")
        if room.needs_attention:
            print_message(room.advice)


@webhooks.group(help="List, retry or ignore received deliveries.")
def inbox() -> None:
    pass


@inbox.command("list", help="List the stored deliveries with their state, in the order in which they were received.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--body", "with_body", is_flag=True, help="With --json: print the payload too. It holds health data.")
@with_settings
def list_command(settings: Settings, as_json: bool, with_body: bool) -> None:
    if with_body and not as_json:
        raise click.UsageError("--body goes with --json.")
    if not with_body:
        _print_deliveries(settings, as_json=as_json)
        return
    settings.prepare_data_dir()
    with audit_logged(settings, "webhooks inbox list --body", destination=STANDARD_OUTPUT) as record:
        record.rows = _print_deliveries(settings, as_json=True, with_body=True)


def _print_deliveries(settings: Settings, *, as_json: bool, with_body: bool = False) -> int:
    """Prints the deliveries; returns how many there are."""
    with _store(settings) as store:
        deliveries = store.inbox.deliveries(with_body=with_body)
    if as_json:
        for delivery in deliveries:
            print_data(json.dumps(_as_json(delivery, with_body=with_body)))
    elif deliveries:
        headers = ["received", "server", "event", "type", "clinic", "state", "receipts", "reason"]
        print_data(format_columns(headers, [_as_row(delivery) for delivery in deliveries]))
    else:
        print_message("The inbox is empty.")
    return len(deliveries)


@inbox.command("replay", help="Retry deliveries: those of these EVENT_IDs, or every failed delivery.")
@click.argument("event_ids", nargs=-1)
@with_settings
def replay_command(settings: Settings, event_ids: tuple[str, ...]) -> None:
    with _store(settings) as store:
        chosen = (
            _find_deliveries(store, event_ids) if event_ids else store.inbox.deliveries(["failed"], with_body=False)
        )
        for delivery in chosen:
            store.events.reopen(delivery.server, delivery.event_id)
        store.inbox.mark(chosen, "received")
    print_message(f"{len(chosen)} deliveries wait; the next `refresh` handles them.")


@inbox.command("ignore", help="Ignore the deliveries of these EVENT_IDS: they are never handled.")
@click.argument("event_ids", nargs=-1, required=True)
@with_settings
def ignore_command(settings: Settings, event_ids: tuple[str, ...]) -> None:
    with _store(settings) as store:
        chosen = _find_deliveries(store, event_ids)
        store.inbox.mark(chosen, "ignored", "by hand")
    print_message(f"{len(chosen)} deliveries are ignored.")


@contextmanager
def _store(settings: Settings) -> Iterator[StateStore]:
    settings.prepare_data_dir()
    with StateStore.open(settings) as store:
        yield store


def _find_deliveries(store: StateStore, event_ids: Sequence[str]) -> list[Delivery]:
    """The deliveries of these events. Raises UsageError when an event is unknown; then nothing is changed."""
    unknown_ids = set(event_ids)
    deliveries = [delivery for delivery in store.inbox.deliveries(with_body=False) if delivery.event_id in unknown_ids]
    if unknown := unknown_ids - {delivery.event_id for delivery in deliveries}:
        raise UsageError(f"The inbox has no event {', '.join(sorted(unknown))}; `webhooks inbox list` shows all.")
    return deliveries


def _as_json(delivery: Delivery, *, with_body: bool) -> dict[str, object]:
    fields: dict[str, object] = {
        "server": delivery.server,
        "event_id": delivery.event_id,
        "integration_id": delivery.integration_id or None,
        "clinic_id": delivery.clinic_id or None,
        "event_type": delivery.event_type,
        "created_at": delivery.created_at,
        "received_at": delivery.received_at.isoformat() if delivery.received_at else None,
        "receipts": delivery.receipts,
        "state": delivery.state,
        "reason": delivery.reason,
        "tries": delivery.tries,
    }
    return fields | {"body": delivery.body.decode(errors="replace")} if with_body else fields


def _as_row(delivery: Delivery) -> list[object]:
    received = f"{delivery.received_at:%Y-%m-%d %H:%M:%S}" if delivery.received_at else ""
    return [
        received,
        delivery.server,
        delivery.event_id,
        delivery.event_type,
        delivery.clinic_id,
        delivery.state,
        delivery.receipts,
        delivery.reason,
    ]
