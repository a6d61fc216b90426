"""Records in the audit log which data a command exports, restores or removes: before it begins, and how it ended.

Each such command wraps its work in `with audit_logged(...)`. A command that cannot be recorded does not begin. A test
lists the commands that need it, so that a new one is not forgotten. What does not belong here: the log
(`state.audit_log`), sending entries to another machine (`cli.audit_delivery`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.cli.audit_delivery import deliver
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore

STARTED, FINISHED, FAILED = "started", "finished", "failed"
STANDARD_OUTPUT = "standard output"


@dataclass(frozen=True, kw_only=True)
class DataSubjects:
    """Whose data a command is about: these clinics, one patient of the first, or (neither given) everybody."""

    clinics: Sequence[ClinicRef] = ()
    patient_id: str | None = None

    def digests(self, store: StateStore) -> dict[str, Any]:
        """The digests that an entry holds instead of ids and names."""
        if not self.clinics:
            return {"of": "everybody"}
        ids = [(clinic.server, clinic.clinic_id) for clinic in self.clinics]
        if self.patient_id is None:
            return {"of": "clinics", "digests": [store.audit.digest(*clinic) for clinic in ids]}
        return {"of": "a patient", "digests": [store.audit.digest(*ids[0], self.patient_id)]}


EVERYBODY = DataSubjects()


@dataclass(kw_only=True)
class AuditOutcome:
    """What a command adds to its closing entry in the audit log; fields that it does not know stay empty."""

    rows: int | None = None
    whose: DataSubjects | None = None
    destination: str | None = None
    exit_code: int = 0

    def fields(self, store: StateStore) -> dict[str, Any]:
        fields: dict[str, Any] = {"rows": self.rows} if self.rows is not None else {}
        if self.whose is not None:
            fields["whose"] = self.whose.digests(store)
        if self.destination is not None:
            fields["destination"] = self.destination
        return fields | ({"exit_code": self.exit_code} if self.exit_code else {})


@contextmanager
def audit_logged(
    settings: Settings,
    command: str,
    *,
    whose: DataSubjects | None = EVERYBODY,
    destination: Path | str | None = None,
    at_end_only: bool = False,
) -> Iterator[AuditOutcome]:
    """Raises PipelineError when the beginning cannot be recorded or delivered: then the block is not entered.

    `whose` None: the command sets it later. `at_end_only`: there is no log yet in which to record the beginning.
    """
    fields: dict[str, Any] = {"command": command}
    if destination is not None:
        fields["destination"] = str(destination)
    action = {"command": command} if at_end_only else _begin(settings, fields, whose)
    record = AuditOutcome(
        whose=whose if at_end_only else None, destination=fields.get("destination") if at_end_only else None
    )
    try:
        yield record
    except BaseException as error:
        with suppress(PipelineError):  # the error itself says more
            _end(settings, FAILED, action | {"error": type(error).__name__}, record)
        raise
    _end(settings, FAILED if record.exit_code else FINISHED, action, record)


def _begin(settings: Settings, fields: dict[str, Any], whose: DataSubjects | None) -> dict[str, Any]:
    """Records the beginning; returns the fields by which the entry of the end refers to it."""
    with StateStore.open(settings) as store:
        entry = store.audit.append(STARTED, fields | ({"whose": whose.digests(store)} if whose else {}))
        action = {"command": fields["command"], "action": entry.number, "of_chain": entry.chain}
        try:
            deliver(settings, entry)
        except PipelineError as error:
            store.audit.append(FAILED, action | {"error": type(error).__name__})
            raise type(error)(f"{error} Until then `{fields['command']}` does not begin.") from None
    return action


def _end(settings: Settings, event: str, action: dict[str, Any], record: AuditOutcome) -> None:
    with StateStore.open(settings) as store:
        deliver(settings, store.audit.append(event, action | record.fields(store)))
