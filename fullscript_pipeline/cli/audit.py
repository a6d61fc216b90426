"""`audit list` and `audit verify`: who exported or removed what, and whether the log of it is unchanged.

What does not belong here: the log (`state.audit_log`), recording (`cli.audited`).
"""

import json
from collections.abc import Sequence
from typing import Any

import click

from fullscript_pipeline.cli.audited import FAILED, FINISHED, STARTED
from fullscript_pipeline.cli.command_settings import with_settings
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.health import backup_audit_heads
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import AuditEntry, AuditHead, StateStore

_COLUMNS = {
    "when": "at", "who": "who", "command": "command", "whose": "of", "rows": "rows", "destination": "destination",
    "outcome": "outcome",
}  # fmt: skip


@click.group(help="List who exported, restored or removed data, and verify that this log is complete and unchanged.")
def audit() -> None:
    pass


@audit.command(
    "list",
    help="List every recorded command, the oldest first: who ran it, when, whose data, how many rows, where to.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every entry as stored, one JSON object per line.")
@with_settings
def list_command(settings: Settings, as_json: bool) -> None:
    with _store(settings) as store:
        entries = store.audit.entries()
    if as_json:
        for entry in entries:
            print_data(json.dumps({**entry.fields, "code": entry.code}))
        return
    actions = _commands_with_outcome(entries)
    if actions:
        print_data(
            format_columns(list(_COLUMNS), [[action.get(name) for name in _COLUMNS.values()] for action in actions])
        )
    print_message(f"{counted(len(actions), 'command')} recorded.")


@audit.command(
    "verify",
    help="Verify that every entry of the log is there, unchanged and in order. If not, list the damaged "
    "entries and exit with 1.",
)
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="CHAIN:NUMBER:CODE",
    help="A head that was recorded elsewhere (syslog, a backup's manifest) and must be in this log. Repeatable.",
)
@with_settings
def verify_command(settings: Settings, heads: Sequence[str]) -> int:
    with _store(settings) as store:
        expected = [*map(AuditHead.parse, heads), *backup_audit_heads(settings.backups_dir)]
        damage = store.audit.damage(expected)
        entries = len(store.audit.entries())
        newest = [] if damage else store.audit.heads()[-1:]
    for finding in damage:
        print_data(finding)
    if damage:
        print_message(
            f"The audit log was changed after it was written ({counted(len(damage), 'finding')}, above): compare it "
            "with the log of a backup or with syslog, and find out who could write to the state store."
        )
        return 1
    print_message(
        f"{counted(entries, 'entry', 'entries')}, all unchanged. Record this head elsewhere to prove it later:"
    )
    for head in newest:
        print_data(str(head))
    return 0


def _store(settings: Settings) -> StateStore:
    if not StateStore.exists(settings):
        raise ConfigurationError(f"There is no state store at {settings.state_place} yet: nothing was recorded.")
    return StateStore.open(settings)


def _commands_with_outcome(entries: Sequence[AuditEntry]) -> list[dict[str, Any]]:
    """One row for each command that began, with its outcome, and one for the beginning of each chain."""
    actions: dict[tuple[object, object], dict[str, Any]] = {}
    for entry in entries:
        fields = entry.fields
        if fields.get("event") in {FINISHED, FAILED}:
            key = (fields.get("of_chain"), fields.get("action"))
            ended = {name: fields[name] for name in ("rows", "destination", "whose") if name in fields}
            actions.setdefault(key, _describe_entry(entry)).update(ended | {"outcome": _format_outcome(fields)})
        else:
            actions[entry.chain, entry.number] = _describe_entry(entry)
    return [action | {"of": _format_subject(action)} for action in actions.values()]


def _describe_entry(entry: AuditEntry) -> dict[str, Any]:
    fields = entry.fields
    is_command = fields.get("event") == STARTED
    return {
        **fields,
        "at": str(fields.get("at", ""))[:19].replace("T", " "),
        "who": f"{fields.get('user')}@{fields.get('host')}"
        + (f", signed in as {fields['login']}" if "login" in fields else ""),
        "command": fields.get("command", "(the log begins)"),
        "outcome": "unknown: no end was recorded" if is_command else fields.get("because", ""),
    }


def _format_outcome(fields: Any) -> str:
    if fields["event"] == FINISHED:
        return "done"
    return f"failed ({fields.get('error') or 'exit code ' + str(fields.get('exit_code'))})"


def _format_subject(action: dict[str, Any]) -> str:
    whose = action.get("whose")
    if not isinstance(whose, dict):
        return ""
    digests = whose.get("digests") or []
    return f"{whose.get('of')} {' '.join(str(digest)[:8] for digest in digests)}".strip()
