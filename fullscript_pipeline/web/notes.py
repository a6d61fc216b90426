"""What the clinic's people noted of a patient: called, set aside until a day, a text; with author and history.

It is kept here only and never sent to Fullscript. Rows are only added; texts and names of authors are sealed. What does
not belong here: how a note is shown (`note_views`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select

from fullscript_pipeline.portal_store import PortalDatabase, Seal
from fullscript_pipeline.web.schema import notes
from fullscript_pipeline.web.sessions import PortalUser

CALLED, SET_ASIDE, BACK, TEXT = "called", "set aside", "back on the list", "note"
KINDS = (CALLED, SET_ASIDE, BACK, TEXT)
LONGEST_TEXT = 2000


@dataclass(frozen=True, kw_only=True)
class PatientNote:
    """One entry. `until`: of who is set aside, the day on which they are on the list again."""

    kind: str
    until: date | None
    text: str
    author: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ContactState:
    """What the list shows of a patient: the newest call, and until when they are set aside."""

    called: PatientNote | None = None
    set_aside: PatientNote | None = None

    @classmethod
    def of(cls, history: Sequence[PatientNote]) -> "ContactState":
        """By the notes of one patient, the newest first."""
        return cls(
            called=next((note for note in history if note.kind == CALLED), None),
            set_aside=next((note for note in history if note.kind in (SET_ASIDE, BACK)), None),
        )

    def is_set_aside(self, today: date) -> bool:
        note = self.set_aside
        return note is not None and note.kind == SET_ASIDE and note.until is not None and note.until > today


class PatientNotes:
    """The notes of every clinic; each query names one."""

    def __init__(self, database: PortalDatabase, seal: Seal, now: Callable[[], float]) -> None:
        self._database, self._seal, self._now = database, seal, now

    def add(self, user: PortalUser, patient_id: str, *, kind: str, until: date | None, text: str) -> None:
        """Stores a note durably."""
        place = _place(user.server, user.clinic_id, patient_id)
        values = {
            "server": user.server,
            "clinic_id": user.clinic_id,
            "patient_id": patient_id,
            "kind": kind,
            "until_on": until.isoformat() if until else None,
            "text": self._seal.seal(text, f"notes.text|{place}"),
            "author_id": user.user_id,
            "author_name": self._seal.seal(user.name, f"notes.author_name|{place}"),
            "at_s": self._now(),
        }
        with self._database.write() as connection:
            connection.execute(insert(notes).values(values))

    def of_patient(self, user: PortalUser, patient_id: str) -> Sequence[PatientNote]:
        """The history of a patient of the user's clinic, the newest first."""
        return [self._note(row) for row in self._rows(_of_clinic(user) & (notes.c.patient_id == patient_id))]

    def states(self, user: PortalUser) -> Mapping[str, ContactState]:
        """By patient of the user's clinic: the newest call, and whether they are set aside."""
        of_contact = _of_clinic(user) & notes.c.kind.in_((CALLED, SET_ASIDE, BACK))
        newest = (
            select(func.max(notes.c.note_id)).where(of_contact).group_by(notes.c.patient_id, notes.c.kind == CALLED)
        )
        histories: dict[str, list[PatientNote]] = {}
        for row in self._rows(notes.c.note_id.in_(newest)):
            histories.setdefault(row.patient_id, []).append(self._note(row))
        return {patient_id: ContactState.of(history) for patient_id, history in histories.items()}

    def _rows(self, which: ColumnElement[bool]) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            return connection.execute(select(notes).where(which).order_by(notes.c.note_id.desc())).all()

    def _note(self, row: Row[Any]) -> PatientNote:
        place = _place(row.server, row.clinic_id, row.patient_id)
        return PatientNote(
            kind=row.kind,
            until=date.fromisoformat(row.until_on) if row.until_on else None,
            text=self._seal.open(row.text, f"notes.text|{place}"),
            author=self._seal.open(row.author_name, f"notes.author_name|{place}"),
            at=datetime.fromtimestamp(row.at_s, UTC),
        )


def sealed_places(row: Row[Any]) -> list[tuple[str, str]]:
    """The sealed columns of a row, each with its place."""
    place = _place(row.server, row.clinic_id, row.patient_id)
    return [(name, f"notes.{name}|{place}") for name in ("text", "author_name")]


def _of_clinic(user: PortalUser) -> ColumnElement[bool]:
    return (notes.c.server == user.server) & (notes.c.clinic_id == user.clinic_id)


def _place(server: str, clinic_id: str, patient_id: str) -> str:
    return f"{server}|{clinic_id}|{patient_id}"
