"""`clock repair`: after a pull under a wrong clock one command, and pulls work again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from fullscript_pipeline import clock
from fullscript_pipeline.cli.clock import clock_group
from fullscript_pipeline.health import check_all
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.runtime import clock_repair
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import future_stamps as warehouse_stamps
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.stub_server import Reply, odd_server

LATER = datetime.now(UTC) + timedelta(days=3652)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data directory that a run of ten years later has written to: tables, state, files, schedules."""
    monkeypatch.setenv("DAGSTER_HOME", "set by open_instance")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    settings = load_settings()
    settings.prepare_data_dir()
    with open_warehouse(load_settings()).write() as con:
        con.execute("INSERT INTO ops.pulls (resource, outcome, observed_at) VALUES ('orders', 'loaded', ?)", [LATER])
    with StateStore(settings.state_path) as store:
        store.feeds.set_position("us-snd", "c1", "order_events", LATER.date().isoformat())
    day = LATER.date().isoformat()
    for name in (
        f"landing/us-snd/acme/{day}/x.frames",
        f"reports/catalog/us/{day}.html",
        f"reports/kept/acme/{day}.zip",
    ):
        path = settings.data_dir / name
        path.parent.mkdir(parents=True)
        path.write_text("x")
    with open_instance(settings) as instance:
        for kind in (InstigatorType.SCHEDULE, InstigatorType.SENSOR):
            ticked(instance, kind)
    return settings


def ticked(instance: dg.DagsterInstance, kind: InstigatorType) -> None:
    """A schedule or sensor that has ticked ten years from now."""
    target = LoadableTargetOrigin(module_name="m")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "__repository__")
    origin, moment = repository.get_instigator_origin(kind.value), LATER.timestamp()
    given = (
        ScheduleInstigatorData("0 4 * * *", moment, moment)
        if kind is InstigatorType.SCHEDULE
        else SensorInstigatorData(last_tick_timestamp=moment, last_tick_start_timestamp=moment, min_interval=30)
    )
    state = InstigatorState(origin, kind, InstigatorStatus.RUNNING, given)
    instance.add_instigator_state(state)
    instance.create_tick(
        TickData(
            origin.get_id(), kind.value, kind, TickStatus.SUCCESS, moment, run_ids=[], selector_id=state.selector_id
        )
    )


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(clock_group, ["repair", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        return getattr(result.exception, "exit_code", 1), str(result.exception)
    return result.exit_code, result.output


@pytest.fixture
def server(data: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Reply]]:
    """The answers of the only server that is set up; the true time at first."""
    answers = [Reply(401)]
    with odd_server(lambda _: answers[0]) as odd:
        for name in ("CLIENT_ID", "CLIENT_SECRET"):
            monkeypatch.setenv(f"FULLSCRIPT_US_SND_{name}", "x")
        monkeypatch.setenv("FULLSCRIPT_US_SND_API_URL", odd.url)
        yield answers


def left(settings: Settings) -> dict[str, int]:
    with StateStore(settings.state_path) as store, open_instance(settings) as instance:
        return clock_repair.ClockRepair(
            settings=settings,
            warehouse=open_warehouse(load_settings()),
            store=store,
            instance=instance,
            now=clock.now(),
        ).find()


@pytest.mark.check_all
def test_everything_is_named_then_moved_after_a_backup_and_once(data: Settings, server: list[Reply]) -> None:
    everything = left(data)
    assert everything == {"ops.pulls": 1, "state.cursors": 1, "files named by day": 3, "schedules and sensors": 2}
    code, said = run("--dry-run")
    assert (code, all(place in said for place in everything), left(data)) == (0, True, everything)
    (found,) = [one for one in check_all(data) if one.id == "warehouse.times"]
    assert (found.state, "ops.pulls 1" in found.what, "clock repair" in str(found.fix)) == ("fail", True, True)

    code, said = run("--yes")
    assert (code, "Made a verified backup before" in said) == (0, True)
    assert left(data) == {}
    (backup,) = (data.data_dir / "backups").iterdir()
    assert str(backup) in said
    today = clock.today(data.time_zone).isoformat()
    for name in (f"landing/us-snd/acme/{today}/x.frames", f"reports/kept/acme/{today}.zip"):
        assert (data.data_dir / name).exists()
    with open_instance(data) as instance:
        for state in instance.all_instigator_state():
            moments = clock_repair.times_of(state).values()
            assert max(filter(None, moments)) <= clock.real_now().timestamp()
            assert instance.get_ticks(state.instigator_origin_id, state.selector_id) == []
    (found,) = [one for one in check_all(data) if one.id == "warehouse.times"]
    assert found.state == "pass"
    code, said = run("--yes")
    assert (code, "Nothing is stored under a time after" in said) == (0, True)
    assert len(list((data.data_dir / "backups").iterdir())) == 1


@pytest.mark.check_all
def test_a_kill_in_the_middle_costs_another_call(
    data: Settings, server: list[Reply], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = warehouse_stamps.move_back

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(warehouse_stamps, "move_back", killed)
    CliRunner().invoke(clock_group, ["repair", "--yes"])
    assert "ops.pulls" in left(data)
    assert "state.cursors" not in left(data)
    monkeypatch.setattr(warehouse_stamps, "move_back", whole)
    monkeypatch.setattr(clock, "real_now", lambda: datetime.now(UTC) + timedelta(seconds=2))  # another backup's name
    assert run("--yes")[0] == 0
    assert left(data) == {}


def test_a_clock_that_the_server_contradicts_moves_nothing(data: Settings, server: list[Reply]) -> None:
    before = left(data)
    server[0] = Reply(401, headers={"Date": "Fri, 01 Jan 2100 00:00:00 GMT"})
    code, said = run("--yes")
    assert (code, "days behind that of us-snd" in said) == (78, True)
    assert left(data) == before


def test_without_a_server_somebody_has_to_vouch_for_the_clock(data: Settings) -> None:
    before = left(data)
    code, said = run("--yes")
    assert (code, "--unverified" in said) == (69, True)
    assert left(data) == before
    assert run("--yes", "--unverified")[0] == 0
    assert left(data) == {}


@pytest.mark.check_all
@pytest.mark.timeout(600)
def test_after_a_pull_of_2036_one_command_and_pulls_work_again(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    with connected_pipeline(tmp_path, clinics=1, world_clinics=1, patients=5, products=10, start=today) as connected:
        key = connected.store.clinics.all()[0].clinic_key

        def command(*arguments: str, now: str | None = None) -> tuple[int, str]:
            env = {name: value for name, value in os.environ.items() if name != "FULLSCRIPT_NOW"}
            env |= {"FULLSCRIPT_NOW": now} if now else {}
            done = subprocess.run(
                [sys.executable, "-m", "fullscript_pipeline", *arguments],
                env=env, capture_output=True, text=True, check=False,
            )  # fmt: skip
            return done.returncode, done.stdout + done.stderr

        pull = ("pull", "--clinic", key)
        assert command(*pull)[0] == 0
        assert command(*pull, now=LATER.isoformat())[0] == 0
        code, said = command(*pull)
        assert (code, "clock repair" in said) == (78, True), said
        assert "fail  warehouse.times" in command("doctor")[1]
        code, said = command("clock", "repair", "--yes")
        assert code == 0, said
        for again in (pull, pull, ("refresh",)):
            code, said = command(*again)
            assert code == 0, said
        assert "pass  warehouse.times" in command("doctor")[1]
        with open_warehouse(load_settings()).read() as con:
            rows = con.execute("SELECT max(day), count(DISTINCT observed_at) > 2 FROM ops.pulls").fetchone()
        assert rows == (today, True) or rows == (datetime.now(UTC).date(), True)
