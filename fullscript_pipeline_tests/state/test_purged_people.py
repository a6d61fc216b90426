"""Who was purged is remembered by digests only, through rotations and restores, until it is undone."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.state import Delivery, StateStore

KEY = "Lw4tq0v9-eVb2m_xJ7Rz1cYd8KpH5sNu3gQa6TfWi0E="
ACME, OTHER = (ClinicRef(server="us-snd", clinic_id=one, clinic_key=one, region="us") for one in ("acme", "other"))


def test_the_person_and_their_objects_are_dropped_at_their_clinic_only(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateStore(path, KEY) as store:
        assert store.purged.ids_of(ACME) is None
        store.purged.remember(ACME, "canary-p1", {"canary-p1", "canary-o1"})
        store.purged.remember(ACME, "canary-p2", {"canary-p2"})
        store.purged.remember(ACME, "canary-p1", {"canary-p1"})
        kept_out, elsewhere = store.purged.ids_of(ACME), store.purged.ids_of(OTHER)
        assert kept_out is not None
        assert elsewhere is not None
        assert ["canary-p1" in kept_out, "canary-o1" in kept_out, "p3" in kept_out] == [True, True, False]
        assert "canary-p1" not in elsewhere
        assert store.purged.count() == 2
    assert not any(b"canary" in one.read_bytes() for one in tmp_path.iterdir())
    with StateStore(path, KEY) as store, StateStore(path, KEY) as another:
        assert another.purged.contains(ACME, "canary-o1")
        assert store.purged.forget(ACME, "canary-p1")
        assert not store.purged.forget(ACME, "canary-p1")
        assert [another.purged.contains(ACME, one) for one in ("canary-p1", "canary-o1", "canary-p2")] == [
            False,
            False,
            True,
        ]


def test_a_delivery_about_them_is_not_stored_but_for_its_coming(tmp_path: Path) -> None:
    with StateStore(tmp_path / "state.sqlite", KEY) as store:
        store.clinics.register("us-snd", "acme", "us", "Acme")
        store.purged.remember(ACME, "p1", ())
        about, other = (f'{{"event": {{"data": {{"patient": {{"id": "{one}"}}}}}}}}'.encode() for one in ("p1", "p2"))
        store.inbox.keep_deliveries(
            [Delivery(server="us-snd", event_id="d1", body=about), Delivery(server="us-snd", event_id="d2", body=other)]
        )
        kept = {one.event_id: (one.body, one.state) for one in store.inbox.deliveries()}
    assert kept == {"d1": (b"{}", "ignored"), "d2": (other, "received")}


@pytest.mark.sqlite_file
def test_an_older_backup_does_not_make_it_forget(tmp_path: Path) -> None:
    present, backup = tmp_path / "state.sqlite", tmp_path / "backup.sqlite"
    with StateStore(present, KEY) as store:
        store.purged.remember(ACME, "p0", ())
    shutil.copy(present, backup)
    with StateStore(present, KEY) as store:
        store.purged.remember(ACME, "p1", ())
    with StateStore(backup, KEY) as store:
        store.purged.keep_of(present)
        assert [store.purged.contains(ACME, one) for one in ("p0", "p1", "p2")] == [True, True, False]
    with StateStore(tmp_path / "elsewhere.sqlite", KEY) as store:  # with a key of its own for its own people
        store.purged.remember(ACME, "p3", ())
        store.purged.keep_of(present)
        assert [store.purged.contains(ACME, one) for one in ("p0", "p1", "p3")] == [True, True, True]
        assert store.purged.forget(ACME, "p1")


@pytest.mark.sqlite_file
def test_a_store_that_cannot_be_read_gives_nobody_over(tmp_path: Path) -> None:
    (tmp_path / "broken.sqlite").write_bytes(b"no database at all")
    with StateStore(tmp_path / "state.sqlite", KEY) as store:
        store.purged.keep_of(tmp_path / "broken.sqlite")
        store.purged.keep_of(tmp_path / "missing.sqlite")
        assert store.purged.count() == 0
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM purged_ids").fetchone() == (0,)
