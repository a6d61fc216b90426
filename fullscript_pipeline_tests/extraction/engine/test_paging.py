"""Lists that move while they are read: nothing lost, nothing invented, nothing asked twice; and the brake."""

import errno
import itertools
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import ServerError
from fullscript_pipeline.extraction.engine import Pull
from fullscript_pipeline.extraction.pulls.external_ids import pull_external_ids
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.frame_file import DiskTrouble, FrameFile
from fullscript_pipeline.warehouse.loading.mass_deletion_guard import held_rows
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.schema_drift_drill import drift_loses_nothing
from fullscript_pipeline_tests.helpers.api_sessions import session_at
from fullscript_pipeline_tests.helpers.page_drift import MovingList, Puller, pulled
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path / "w.duckdb", lock_wait=5)
    migrate(made, [])
    return made


def world_of(rows: int, size: int = 10) -> MovingList:
    world = MovingList(size=size)
    for _ in range(rows):
        world.add()
    return world


def at(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    moment = clock.real_now() + timedelta(days=days)
    monkeypatch.setenv("FULLSCRIPT_NOW", moment.isoformat())


def test_three_histories_of_each_page_size(tmp_path: Path) -> None:
    """Promise 21."""
    drift_loses_nothing(tmp_path, histories=6)


def test_every_page_is_asked_once_and_the_second_run_in_reverse_writes_nothing(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Promise 18."""
    world = world_of(95)
    with pulled(warehouse, tmp_path, world) as (puller, server):
        assert puller.pull().counts["patients"].added == 95
        assert sorted(int(seen.query["page[number]"]) for seen in server.requests) == list(range(1, 11))
        world.reverse = True
        again = puller.pull().counts["patients"]
    assert (again.read, again.added, again.changed, again.removed) == (95, 0, 0, 0)


def test_a_row_that_vanishes_from_a_page_already_read_hides_none_and_stays_gone(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """The count then fits by accident: one row too many was seen, another one skipped."""
    world, answers = world_of(30), itertools.count()

    def vanish(self: MovingList) -> None:
        if next(answers) == 1:
            self.rows.pop(0)

    world.move = vanish
    with pulled(warehouse, tmp_path, world) as (puller, _):
        report = puller.pull()
        assert puller.present().keys() == {row["id"] for row in world.rows}
    assert report.reason is None


def test_a_list_that_never_comes_out_even_is_loaded_and_says_so(warehouse: Warehouse, tmp_path: Path) -> None:
    world = world_of(20)
    with pulled(warehouse, tmp_path, world) as (puller, server):
        puller.pull()
        kept = world.rows.pop()
        whole = world.answer

        def counts_two_more(seen: Seen) -> Reply:
            reply = whole(seen)
            assert isinstance(reply.body, dict)
            reply.body["meta"]["total_count"] += 2
            return reply

        server.answer = counts_two_more
        report = puller.pull()
        assert report.reason == "listed 19 of 21 (patients)"
        assert puller.pull_columns("outcome, complete, rows_removed, total_count") == ("loaded", False, 0, 21)
        assert kept["id"] in puller.present(), "absence means nothing then"


def test_rows_that_share_the_id_of_another_system_are_each_counted(warehouse: Warehouse, tmp_path: Path) -> None:
    world = world_of(25)
    world.rows = [
        {"id": f"chart-{n // 2}", "type": "treatment_plan", "data": {"id": f"plan-{n}"}} for n in range(len(world.rows))
    ]
    with pulled(warehouse, tmp_path, world) as (puller, server):
        server.answer = lambda seen: renamed(world.answer(seen), "metadata")
        report = pull_external_ids(puller.target(), puller.session)
        assert (report.counts["external_ids"].added, report.reason, len(server.requests)) == (25, None, 3)


@pytest.mark.parametrize("broken", [{"id": None, "first_name": "Who"}, None, {"first_name": "Who"}])
def test_a_row_that_does_not_say_which_it_is_may_be_any_of_the_missing(
    warehouse: Warehouse, tmp_path: Path, broken: object
) -> None:
    world = world_of(25)
    with pulled(warehouse, tmp_path, world) as (puller, _):
        before = puller.pull() and puller.present()
        world.rows[3] = broken  # type: ignore[call-overload]
        report = puller.pull()
        assert puller.present() == before
        assert report.counts["patients"].quarantined == 1
        assert "listed 1 row without an id (patients)" in str(report.reason)


def test_an_array_of_nothing_takes_nobody_for_gone(warehouse: Warehouse, tmp_path: Path) -> None:
    """Too few for the brake; and no answer that the vendor documents."""
    world = world_of(3)
    with pulled(warehouse, tmp_path, world) as (puller, server):
        puller.pull()
        server.answer = lambda seen: Reply(body=[])
        report = puller.pull()
        assert len(puller.present()) == 3
        assert "listed an empty array" in str(report.reason)
        server.answer = lambda seen: Reply(body=world.rows if seen.query["page[number]"] == "1" else [])
        world.rows.pop()
        puller.pull()
        assert len(puller.present()) == 2, "a bare array with rows in it is a list"


def test_a_row_that_a_single_page_holds_twice_is_no_sign_of_a_missing_one(warehouse: Warehouse, tmp_path: Path) -> None:
    world = world_of(5)
    world.rows.append(world.rows[0])
    with pulled(warehouse, tmp_path, world) as (puller, server):
        report = puller.pull()
        assert (report.reason, len(puller.present()), len(server.requests)) == (None, 5, 1)


def renamed(reply: Reply, wrapper: str) -> Reply:
    assert isinstance(reply.body, dict)
    return Reply(body={wrapper: reply.body["patients"], "meta": reply.body["meta"]})


@pytest.mark.parametrize("grows", [1, -1])
def test_a_wrong_number_of_pages_costs_a_second_look_at_most(warehouse: Warehouse, tmp_path: Path, grows: int) -> None:
    world = world_of(60)
    with pulled(warehouse, tmp_path, world) as (puller, server):
        whole, first = world.answer, list[Seen]()

        def wrong_once(seen: Seen) -> Reply:
            reply = whole(seen)
            assert isinstance(reply.body, dict)
            if not first:
                first.append(seen)
                reply.body["meta"]["total_pages"] += grows
            return reply

        server.answer = wrong_once
        report = puller.pull()
        assert (report.reason, len(puller.present())) == (None, 60)


def test_a_killed_pull_asks_again_for_no_page_that_it_had_landed(warehouse: Warehouse, tmp_path: Path) -> None:
    world = world_of(200)
    whole = world.answer
    with pulled(warehouse, tmp_path, world) as (puller, server):
        server.answer = lambda seen: Reply(503) if int(seen.query["page[number]"]) == 12 else whole(seen)
        with pytest.raises(ServerError):
            puller.pull()
        assert puller.present() == {}, "no part of a list is shown"
        (unfinished,) = puller.landing.rglob("*.open")
        landed = {request.page for request in FrameFile(unfinished).requests()}
        assert len(landed) >= 5
        server.answer = whole
        server.requests.clear()
        puller.pull()
        asked = [int(seen.query["page[number]"]) for seen in server.requests]
    assert sorted(asked) == sorted(set(range(1, 21)) - landed)
    assert len(puller.present()) == 200


def test_what_an_interrupted_pull_landed_is_fetched_again_where_it_is_damaged(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """A flipped byte used to hide the pages behind it, and then to cut them off."""
    world = world_of(200)
    whole = world.answer
    with pulled(warehouse, tmp_path, world) as (puller, server):
        server.answer = lambda seen: Reply(503) if int(seen.query["page[number]"]) == 12 else whole(seen)
        with pytest.raises(ServerError):
            puller.pull()
        (unfinished,) = puller.landing.rglob("*.open")
        content = bytearray(unfinished.read_bytes())
        content[6] ^= 1
        unfinished.write_bytes(content)
        server.answer = whole
        puller.pull()
        assert len(puller.present()) == 200
        assert unfinished.with_suffix(".abandoned").read_bytes() == content


def test_more_than_eight_requests_are_never_in_flight() -> None:
    flying, most, lock = 0, 0, threading.Lock()
    world = world_of(300)

    def slow(seen: Seen) -> Reply:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        threading.Event().wait(0.01)
        with lock:
            flying -= 1
        return world.answer(seen)

    with odd_server(slow) as server, session_at(server.url) as session:
        threads = [threading.Thread(target=lambda: list(session.pages("patients"))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 4 <= most <= 8


def test_a_mass_disappearance_is_held_until_a_later_day_says_the_same(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(40)
    at(monkeypatch, 0)
    with pulled(warehouse, tmp_path, world) as (puller, _):
        puller.pull()
        back = world.rows[30]
        gone, world.rows = world.rows[25:], world.rows[:25]
        report = puller.pull()
        assert (report.counts["patients"].removed, report.counts["patients"].held) == (0, 15)
        assert puller.pull_columns("held, complete") == (15, True)
        assert "15 rows missing" in (report.reason or "")
        with warehouse.read() as con:
            owners = con.execute("SELECT DISTINCT clinic_id FROM ops.held_removals").fetchall()
            assert [held_rows(con, owner) for (owner,) in owners] == [{"patients": 15}]
        assert puller.pull().counts["patients"].held == 15, "the same day confirms nothing"
        world.rows.append(back)
        at(monkeypatch, 1)
        later = puller.pull()
        assert (later.counts["patients"].removed, later.counts["patients"].held) == (14, 0)
        assert puller.present().keys() == {row["id"] for row in world.rows}
        with warehouse.read() as con:
            assert con.execute("SELECT count(*) FROM ops.held_removals").fetchall() == [(0,)]
    assert len(gone) == 15


def test_a_few_rows_may_go_at_once(warehouse: Warehouse, tmp_path: Path) -> None:
    world = world_of(6)
    with pulled(warehouse, tmp_path, world) as (puller, _):
        puller.pull()
        del world.rows[1:]
        assert puller.pull().counts["patients"].removed == 5


def test_a_full_disk_is_a_sentence_and_the_next_pull_goes_on(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Promise 27: ENOSPC at the n-th write, for each n."""
    real = os.fsync
    with pulled(warehouse, tmp_path, world_of(60)) as (puller, _):
        for nth in (1, 3, 2):
            calls = itertools.count(1)

            def full(descriptor: int, calls: Iterator[int] = calls, nth: int = nth) -> None:
                if next(calls) == nth:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                real(descriptor)

            monkeypatch.setattr(os, "fsync", full)
            with pytest.raises(DiskTrouble, match="No space left"):
                puller.pull()
            assert puller.present() == {}
        monkeypatch.setattr(os, "fsync", real)
        (unfinished,) = puller.landing.rglob("*.open")
        assert len(FrameFile(unfinished).requests()) == 3, "whole pages stay, halves are cut"
        assert puller.pull().reason is None
        assert len(puller.present()) == 60


@pytest.mark.parametrize(
    ("owners", "complete"), [(["p1", "p1"], True), (["p1", "p2"], False), (["p2"], False), ([None], True), ([], True)]
)
def test_a_list_of_one_patient_that_shows_another_is_not_that_patients_list(
    warehouse: Warehouse, tmp_path: Path, owners: list[str | None], complete: bool
) -> None:
    """From a cache, or a server that ignores whose list was asked for: what it lacks may be there all the same."""
    rows = [{"id": f"t{place}", "patient": {"id": one}} for place, one in enumerate(owners)]
    meta = {"current_page": 1, "next_page": None, "total_pages": 1, "total_count": len(rows)}
    with (
        odd_server(lambda _: Reply(body={"treatment_plans": rows, "meta": meta})) as server,
        session_at(server.url) as session,
    ):
        puller = Puller(warehouse, tmp_path / "landing", session)
        for _ in range(2):  # the second time what was landed is taken up
            pull = Pull(puller.target(), "treatment_plans")
            listing = pull.walk(session, "patient_treatment_plans", path={"patient_id": "p1"})
            assert listing.complete is complete
            pull._release()
    assert len(server.requests) == 1
