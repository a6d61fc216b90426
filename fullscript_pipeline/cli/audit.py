"""`audit list` and `audit verify`: who took or removed what, and whether the log of it is as it was written.

What does not belong here: the log (`state.audit_log`), recording (`cli.audited`).
"""

import json
from collections.abc import Sequence
from typing import Any

import click

from fullscript_pipeline.cli.audited import FAILED, FINISHED, STARTED
from fullscript_pipeline.cli.console import data, table, talk
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.health import heads_of_backups
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import AuditEntry, AuditHead, StateStore

_COLUMNS = {
    "when": "at", "who": "who", "command": "command", "whose": "of", "rows": "rows", "destination": "destination",
    "outcome": "outcome",
}  # fmt: skip


@click.group(help="Who took, brought in or removed data, and whether the record of it is whole.")
def audit() -> None:
    pass


@audit.command("list", help="Every recorded command, the oldest first: who, when, whose data, how much, where to.")
@click.option("--json", "as_json", is_flag=True, help="Every entry of the log as it is kept, one JSON object a line.")
def list_command(as_json: bool) -> None:
    with _store(load_settings()) as store:
        entries = store.audit_entries()
    if as_json:
        for entry in entries:
            data(json.dumps({**entry.fields, "code": entry.code}))
        return
    actions = _actions(entries)
    if actions:
        data(table(list(_COLUMNS), [[action.get(name) for name in _COLUMNS.values()] for action in actions]))
    talk(f"{counted(len(actions), 'command')} recorded.")


@audit.command("verify", help="Is every entry there, as it was written and in its place? 1: no; says which.")
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="CHAIN:NUMBER:CODE",
    help="A head that was noted elsewhere (syslog, a backup's manifest) must be in this log; again for more.",
)
def verify_command(heads: Sequence[str]) -> int:
    settings = load_settings()
    with _store(settings) as store:
        noted = [AuditHead.parse(one) for one in heads]
        damage = store.audit_damage([*noted, *heads_of_backups(settings.backups_dir)])
        entries = len(store.audit_entries())
        newest = [] if damage else store.audit_heads()[-1:]
    for one in damage:
        data(one)
    if damage:
        talk(
            f"The audit log is not as it was written ({counted(len(damage), 'finding')}, above): compare it with that "
            "of a backup or with what syslog has, and find out who could write to the state store."
        )
        return 1
    talk(
        f"{counted(entries, 'entry', 'entries')}, all as they were written. Note the head elsewhere to prove it later:"
    )
    for head in newest:
        data(str(head))
    return 0


def _store(settings: Settings) -> StateStore:
    if not settings.state_path.exists():
        raise ConfigurationError(f"There is no state store at {settings.state_path} yet: nothing was recorded.")
    return StateStore(settings.state_path, settings.encryption_key)


def _actions(entries: Sequence[AuditEntry]) -> list[dict[str, Any]]:
    """One for each command that was begun, with how it ended; beginnings of chains stand for themselves."""
    actions: dict[tuple[object, object], dict[str, Any]] = {}
    for entry in entries:
        told = entry.fields
        if told.get("event") in {FINISHED, FAILED}:
            own = (told.get("of_chain"), told.get("action"))
            ended = {name: told[name] for name in ("rows", "destination", "whose") if name in told}
            actions.setdefault(own, _action(entry)).update(ended | {"outcome": _outcome(told)})
        else:
            actions[entry.chain, entry.number] = _action(entry)
    return [action | {"of": _of(action)} for action in actions.values()]


def _action(entry: AuditEntry) -> dict[str, Any]:
    told = entry.fields
    is_command = told.get("event") == STARTED
    return {
        **told,
        "at": str(told.get("at", ""))[:19].replace("T", " "),
        "who": f"{told.get('user')}@{told.get('host')}"
        + (f", signed in as {told['login']}" if "login" in told else ""),
        "command": told.get("command", "(the log begins)"),
        "outcome": "not known: it never ended" if is_command else told.get("because", ""),
    }


def _outcome(told: Any) -> str:
    if told["event"] == FINISHED:
        return "done"
    return f"failed ({told.get('error') or 'exit code ' + str(told.get('exit_code'))})"


def _of(action: dict[str, Any]) -> str:
    whose = action.get("whose")
    if not isinstance(whose, dict):
        return ""
    digests = whose.get("digests") or []
    return f"{whose.get('of')} {' '.join(str(one)[:8] for one in digests)}".strip()
