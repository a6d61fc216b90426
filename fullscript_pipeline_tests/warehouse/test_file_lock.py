"""Whoever waits for the warehouse is seen by its holder, and is next."""

import threading
from pathlib import Path

import pytest

from fullscript_pipeline.errors import Busy
from fullscript_pipeline.warehouse.attachment import WarehouseLock, lock_is_free


def test_the_holder_sees_who_waits_and_the_one_who_waits_is_next(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    holder, waiting = WarehouseLock(path, 10), WarehouseLock(path, 10)
    holder.acquire()
    assert not holder.is_wanted()
    acquired, done = threading.Event(), threading.Event()

    def wait() -> None:
        waiting.acquire()
        acquired.set()
        done.wait(10)
        waiting.release()

    thread = threading.Thread(target=wait)
    thread.start()
    while not holder.is_wanted():
        assert not acquired.is_set()
    holder.release()
    # The holder wants it back at once, and has to stand in line.
    again = WarehouseLock(path, 0.3)
    with pytest.raises(Busy):
        again.acquire()
    assert acquired.is_set()
    done.set()
    thread.join(10)
    again.acquire()
    again.release()


def test_whether_the_lock_is_free_is_told_without_a_note_of_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with lock_is_free(path) as is_free:
        assert is_free
    assert not path.with_name("w.duckdb.holder").exists()
    lock = WarehouseLock(path, 1)
    lock.acquire()
    with lock_is_free(path) as is_free:
        assert not is_free
    lock.release()
