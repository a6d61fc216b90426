"""Snoozes: one a patient, over on their day, gone with the patient or the clinic, shown to the person."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.state import Snooze, StateStore, purge_clinic, purge_patient, rows_of_patient

MAPLE, OAK = (
    ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us"),
    ClinicRef(server="us-snd", clinic_id="c-2", clinic_key="oak", region="us"),
)
TODAY = date(2026, 11, 22)
SOON, LATER = TODAY + timedelta(days=3), TODAY + timedelta(days=9)
NOTE = "canary: travels until then"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore(tmp_path / "state.sqlite", "a long key that nobody guesses") as opened:
        opened.snoozes.add(MAPLE, Snooze(patient_id="p-1", until=LATER, note=NOTE), TODAY)
        opened.snoozes.add(MAPLE, Snooze(patient_id="p-2", until=SOON), TODAY)
        opened.snoozes.add(OAK, Snooze(patient_id="p-1", until=SOON, note="another clinic's"), TODAY)
        yield opened


def test_a_snooze_is_over_on_its_day_and_deleted_with_the_next_one(store: StateStore) -> None:
    assert store.snoozes.current(MAPLE, TODAY) == [
        Snooze(patient_id="p-2", until=SOON),
        Snooze(patient_id="p-1", until=LATER, note=NOTE),
    ]
    assert store.snoozes.current(MAPLE, SOON) == [Snooze(patient_id="p-1", until=LATER, note=NOTE)]
    store.snoozes.add(MAPLE, Snooze(patient_id="p-1", until=LATER + timedelta(days=1)), SOON)
    assert store.snoozes.current(MAPLE, TODAY) == [Snooze(patient_id="p-1", until=LATER + timedelta(days=1))]
    assert store.snoozes.current(OAK, TODAY) == []


def test_a_snooze_can_be_removed(store: StateStore) -> None:
    assert store.snoozes.remove(MAPLE, "p-1")
    assert not store.snoozes.remove(MAPLE, "p-1")
    assert len(store.snoozes.current(OAK, TODAY)) == 1


@pytest.mark.sqlite_file
def test_a_note_is_readable_only_with_the_key(store: StateStore) -> None:
    files = [file.read_bytes() for file in store.data_dir.iterdir() if file.is_file()]
    assert not any(NOTE.encode() in content for content in files)


def test_a_person_is_shown_the_note_and_it_goes_with_them(store: StateStore) -> None:
    shown = rows_of_patient(store.db, store.keyring, MAPLE, {"p-1"})["snoozes"]
    assert [(row["patient_id"], row["until_on"], row["note"]) for row in shown] == [("p-1", str(LATER), NOTE)]
    assert purge_patient(store.db, store.keyring, MAPLE, {"p-1"}) == 1
    assert store.snoozes.current(MAPLE, TODAY) == [Snooze(patient_id="p-2", until=SOON)]
    purge_clinic(store.db, store.keyring, MAPLE)
    assert (store.snoozes.current(MAPLE, TODAY), len(store.snoozes.current(OAK, TODAY))) == ([], 1)
