"""Finds events that a person should know of: a clinic that withdrew its key, and types that nobody has documented.

They come from the ledger, which keeps events of the last 35 days. Nothing waits for them. What does not belong
here: sending them anywhere (`orchestration.event_alerts`, `health.events`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from fullscript_pipeline.event_types import KEY_ACTIVATED, KEY_REVOKED, Also, event_family, row_of
from fullscript_pipeline.plural import counted
from fullscript_pipeline.state import Clinic, LedgerEvent, StateStore

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
# A type is the server's text: a longer or stranger one is not repeated.
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,80}")
_REVOKED, _ACTIVATED = KEY_REVOKED.pattern, KEY_ACTIVATED.pattern


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A message about an event. `subject`: its type; `identity`: differs for each occasion, so that each is sent
    once."""

    clinic_key: str
    subject: str
    identity: str
    sentence: str

    @property
    def is_revocation(self) -> bool:
        return self.subject == _REVOKED


def list_notices(store: StateStore, clinic: Clinic) -> list[Notice]:
    """Returns the notices for this clinic."""
    events = store.events.since(clinic.server, clinic.clinic_id, _EVER)
    return [*_revocation(clinic, events), *_alerts(clinic, events), *_undocumented(clinic, events)]


def _revocation(clinic: Clinic, events: Iterable[LedgerEvent]) -> Iterator[Notice]:
    """Yields a notice when the last event of the clinic's key is a revocation."""
    of_key = [event for event in events if _name_of(event) in {_REVOKED, _ACTIVATED}]
    last = max(of_key, key=lambda event: (event.created_at or "", event.event_id), default=None)
    if last is None or _name_of(last) != _REVOKED:
        return
    day, key = (last.created_at or "")[:10], clinic.clinic_key
    yield Notice(
        clinic_key=key,
        subject=_REVOKED,
        identity=last.event_id,
        sentence=(
            f"{key}: the clinic withdrew this app's integration key{f' on {day}' if day else ''} ({_REVOKED}): "
            "Fullscript may send no more events of it and refuse its data. Ask the clinic whether that was meant. If "
            f"it was, run `fullscript-pipeline disconnect {key}`; if not, have it enable the integration again, then "
            "run `fullscript-pipeline connect`."
        ),
    )


def _alerts(clinic: Clinic, events: Iterable[LedgerEvent]) -> Iterator[Notice]:
    """Each event of a documented type that the table makes an alert; a revoked key has a notice of its own."""
    for event in events:
        row = row_of(event.event_type)
        if row.is_documented and Also.NOTICE in row.also and row is not KEY_REVOKED:
            day, key = (event.created_at or "")[:10], clinic.clinic_key
            sentence = f"{key}: {row.happened}{f' on {day}' if day else ''} ({row.pattern})."
            yield Notice(clinic_key=key, subject=row.pattern, identity=event.event_id, sentence=sentence)


def _undocumented(clinic: Clinic, events: Iterable[LedgerEvent]) -> Iterator[Notice]:
    """Yields a notice for each type that the documentation does not have."""
    times: dict[str, int] = {}
    for event in events:
        if event.event_type and not row_of(event.event_type).is_documented:
            name = event.event_type if _NAME.fullmatch(event.event_type) else "(a type that is no plain name)"
            times[name] = times.get(name, 0) + 1
    for name, number in times.items():
        family = event_family(name)
        read = (
            f"it was read like any event of core.{family.table}"
            if family and family.name
            else "nothing was read for it but what the daily pull reads"
        )
        yield Notice(
            clinic_key=clinic.clinic_key,
            subject=name,
            identity=f"{clinic.server}:{name}",
            sentence=(
                f"{clinic.clinic_key}: {counted(number, 'event')} of a type that Fullscript's documentation does not "
                f"have ({name}); {read}. Look it up in the vendor's reference and update the program."
            ),
        )


def _name_of(event: LedgerEvent) -> str:
    return (event.event_type or "").strip().lower()
