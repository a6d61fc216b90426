"""What this process makes is its owner's only while anybody in it needs that, and as before when nobody does."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline.private_files import make_private_folder, private_files


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode_of_a_new_file(path: Path) -> int:
    path.write_text("")
    mode = path.stat().st_mode & 0o777
    path.unlink()
    return mode


def test_blocks_of_two_threads_overlap(tmp_path: Path) -> None:
    """The first to enter leaves first: what it found must not come back under the other."""
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with private_files():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with private_files():
        thread.start()
        assert entered.wait(10)
        with private_files():
            assert mode_of_a_new_file(tmp_path / "inside") == 0o600
    assert mode_of_a_new_file(tmp_path / "the other's") == 0o600
    leave.set()
    thread.join(10)
    assert mode_of_a_new_file(tmp_path / "outside") == 0o644


def test_a_folder_and_those_above_it_are_private(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b" / "c")
    make_private_folder(tmp_path / "a" / "b" / "c")
    made = [tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "c"]
    assert [path.stat().st_mode & 0o777 for path in made] == [0o700] * 3
