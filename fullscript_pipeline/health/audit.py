"""Checks that the audit log is unchanged. What does not belong here: the log and its verification (`state`)."""

import json
from pathlib import Path

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.health.finding import Finding, failed, passed
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import AuditHead, StateStore

_FIX = (
    "`fullscript-pipeline audit verify` lists all damage: compare the log with that of a backup or with syslog, and "
    "find out who could write to the state store."
)


def check_audit_log(settings: Settings, store: StateStore) -> Finding:
    damage = store.audit.damage(backup_audit_heads(settings.backups_dir))
    if not damage:
        return passed("state.audit_log", "every entry is unchanged")
    more = f" (and {len(damage) - 1} more)" if len(damage) > 1 else ""
    return failed("state.audit_log", f"{damage[0]}{more}", _FIX)


def backup_audit_heads(folder: Path) -> list[AuditHead]:
    """The heads in the manifests of a folder's backups. Leaves unreadable manifests out: `restore` reports them."""
    heads: list[AuditHead] = []
    for path in sorted(folder.glob("*/manifest.json")):
        try:
            heads += [AuditHead.parse(head) for head in json.loads(path.read_text(encoding="utf-8"))["audit_heads"]]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UsageError):
            continue
    return heads
