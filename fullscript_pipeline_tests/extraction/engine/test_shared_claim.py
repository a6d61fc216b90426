"""A pull that ended on one machine goes on on another one, from the pages that the first one landed."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ServerError
from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable
from fullscript_pipeline.extraction.engine import Pull, SharedPulls
from fullscript_pipeline.files import FolderFiles
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.shared_landing import SharedFrameFile, SharedLanding
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.page_drift import MovingList, Puller, pulled
from fullscript_pipeline_tests.helpers.stub_server import OddServer, Reply, Seen


class Machines:
    """Two machines that share warehouse, state store and a place for files; each has a folder of its own."""

    def __init__(self, puller: Puller, server: OddServer, store: StateStore, folder: Path) -> None:
        self.server, self.store, self.place = server, store, folder / "bucket"
        self.one, self.two = (replace(puller, shared=self._shared(folder / name)) for name in ("one", "two"))

    def _shared(self, work_folder: Path) -> SharedPulls:
        landing = SharedLanding(FolderFiles(self.place), work_folder)
        return SharedPulls(landing=landing, claims=self.store.landing_claims)

    def pages_asked(self) -> list[int]:
        return [int(seen.query["page[number]"]) for seen in self.server.requests]

    def end_after(self, pages: int) -> None:
        """Machine one lands so many pages; then it has no server and its process ends."""
        whole, answers = self.server.answer, itertools.count(1)
        self.server.answer = lambda seen: whole(seen) if next(answers) <= pages else _refused(seen)
        pull = Pull(self.one.target(), "patients")
        with pytest.raises(ServerError):
            pull.walk(self.one.session, "patients")
        pull._release()
        self.server.answer = whole
        self.server.requests.clear()

    def landed_pages(self) -> list[int]:
        """The pages of the one pull that is not finished."""
        landing = SharedLanding(FolderFiles(self.place), self.place.parent / "three")
        (pull,) = landing.unfinished(self.one.target().place)
        return [request.page for request in landing.open(pull, None, lambda: None).requests()]

    def names(self) -> list[str]:
        return sorted(path.relative_to(self.place).as_posix() for path in self.place.rglob("*") if path.is_file())


def _refused(_: Seen) -> Reply:
    return Reply(status=501)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    warehouse = Warehouse(tmp_path / "w.duckdb", lock_wait=5)
    migrate(warehouse, [])
    world = MovingList(size=10)
    for _ in range(60):
        world.add()
    with pulled(warehouse, tmp_path, world) as (puller, server), StateStore(tmp_path / "state.sqlite") as store:
        yield Machines(puller, server, store, tmp_path)


def test_another_machine_asks_only_for_what_is_not_landed(machines: Machines) -> None:
    machines.end_after(3)
    landed = machines.landed_pages()
    assert 1 <= len(landed) <= 3
    assert machines.two.pull().counts["patients"].added == 60
    assert sorted((*landed, *machines.pages_asked())) == [1, 2, 3, 4, 5, 6]


def test_a_finished_pull_is_one_file_that_nobody_goes_on_from(machines: Machines) -> None:
    assert machines.one.pull().counts["patients"].added == 60
    (finished,) = machines.names()
    assert finished.endswith(".frames")
    machines.server.requests.clear()
    assert machines.two.pull().counts["patients"].changed == 0
    assert sorted(machines.pages_asked()) == [1, 2, 3, 4, 5, 6]
    assert len(machines.names()) == 2


def test_a_pull_that_a_process_fills_is_left_alone(machines: Machines) -> None:
    machines.end_after(3)
    (name,) = {Path(name).parent.as_posix().removesuffix(".open") for name in machines.names()}
    with machines.store.db.named_lock(f"landing {name}", 1):
        assert machines.two.pull().counts["patients"].added == 60
    assert sorted(machines.pages_asked()) == [1, 2, 3, 4, 5, 6]


def test_what_is_too_old_or_damaged_is_put_aside_and_fetched_again(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.end_after(3)
    (first, *_) = sorted(machines.place.rglob("*.open/*"))
    whole = first.read_bytes()
    first.write_bytes(whole[:20] + bytes([whole[20] ^ 1]) + whole[21:])
    machines.end_after(2)
    assert [name.rpartition(".")[2] for name in machines.names() if ".open" not in name] == ["abandoned"]
    monkeypatch.setenv("FULLSCRIPT_NOW", (clock.real_now() + timedelta(hours=7)).isoformat())
    machines.two.pull()
    assert sorted(machines.pages_asked()) == [1, 2, 3, 4, 5, 6]
    assert sorted(name.rpartition(".")[2] for name in machines.names()) == ["abandoned", "abandoned", "frames"]


def test_a_pull_that_ended_just_before_its_frames_were_removed_is_not_resumed(machines: Machines) -> None:
    machines.end_after(3)
    (folder,) = machines.place.rglob("*.open")
    folder.with_suffix(".frames").write_bytes(b"".join(path.read_bytes() for path in sorted(folder.iterdir())))
    machines.two.pull()
    assert sorted(machines.pages_asked()) == [1, 2, 3, 4, 5, 6]
    assert not folder.exists()


def test_frames_of_another_key_are_told_and_stay(machines: Machines) -> None:
    sealed = replace(machines.one.target(), encryption_key="the key of machine one")
    pull = Pull(sealed, "patients")
    pull.walk(machines.one.session, "patients")
    pull._release()
    before = machines.names()
    with pytest.raises(ConfigurationError, match="set FULLSCRIPT_ENCRYPTION_KEY to the key it was made with"):
        machines.two.pull()
    assert machines.names() == before


def test_nothing_is_landed_once_the_claim_is_lost(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    pull = Pull(machines.one.target(), "patients")
    assert isinstance(pull.file, SharedFrameFile)
    claim = machines.store.landing_claims.take(pull.file._pull)
    assert claim is not None
    monkeypatch.setattr(claim, "is_held", lambda: False)
    with pytest.raises(ServiceUnavailable, match="another machine may have resumed"):
        pull.walk(machines.one.session, "patients")
    assert machines.names() == []
    claim.release()


def test_a_process_with_a_former_key_lands_nothing(machines: Machines, tmp_path: Path) -> None:
    """After `keys rotate` on another machine."""
    with StateStore(tmp_path / "rotated.sqlite", "the new key of all machines, 12345") as rotated:
        landing = SharedLanding(FolderFiles(machines.place), tmp_path / "four")
        former = replace(machines.one, shared=SharedPulls(landing=landing, claims=rotated.landing_claims))
        for target in (former.target(), replace(former.target(), encryption_key="a former key, 0123456789 0123")):
            with pytest.raises(ConfigurationError, match="`keys rotate` changed the encryption key"):
                Pull(target, "patients")
    assert machines.names() == []
