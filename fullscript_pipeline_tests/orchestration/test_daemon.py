"""The daemon looks again soon after a webhook or a request of the portal, and otherwise waits as Dagster's own."""

import threading
import time
from pathlib import Path

import pytest
from dagster._daemon import controller
from dagster._daemon.daemon import SensorDaemon

from fullscript_pipeline.orchestration import daemon
from fullscript_pipeline.orchestration.daemon import Arrivals, WokenWait, woken_sensor_daemon
from fullscript_pipeline.portal_store import PortalRequests
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import Delivery, StateStore

WEB_KEY = "a key of the portal, for tests only"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_WEB_KEY", WEB_KEY)
    made = load_settings()
    made.prepare_data_dir()
    return made


class Changing:
    """Something arrives when the test says so."""

    def __init__(self) -> None:
        self.number = 0

    def newest(self) -> tuple[int, float]:
        return self.number, 0.0


def test_a_wait_ends_soon_after_an_arrival_and_so_does_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice, because the first look may find the sensor still at work for the arrival before this one."""
    monkeypatch.setattr(daemon, "SENSOR_SECONDS", 0.1)
    monkeypatch.setattr(daemon, "LOOK_SECONDS", 0.02)
    ending, arrivals = threading.Event(), Changing()
    wait = WokenWait(ending, arrivals)
    arrivals.number = 1
    began = time.monotonic()
    assert wait.wait(3600) is False, "woken; the daemon does not end"
    assert time.monotonic() - began >= 0.1, "the sensor may not run sooner"
    assert wait.wait(3600) is False
    threading.Timer(0.5, ending.set).start()
    assert wait.wait(3600) is True, "the third waits until the daemon ends"


def test_the_end_of_the_daemon_is_not_missed() -> None:
    ending = threading.Event()
    wait = WokenWait(ending, Changing())
    assert (wait.is_set(), wait.wait(0)) == (False, False)
    threading.Timer(0.1, ending.set).start()
    assert wait.wait(60) is True
    assert (wait.is_set(), wait.wait(0)) == (True, True)


def test_a_delivery_and_a_request_of_the_portal_are_arrivals(settings: Settings) -> None:
    arrivals = Arrivals(settings)
    seen = [arrivals.newest()]
    with StateStore.open(settings) as store:
        store.inbox.keep_delivery(Delivery(server="us-snd", event_id="one"))
        seen.append(arrivals.newest())
        store.inbox.keep_delivery(Delivery(server="us-snd", event_id="one"))
        assert arrivals.newest() == seen[-1], "received again"
    queue = PortalRequests(settings.portal_requests_path, [WEB_KEY], time.time)
    queue.ask_to_read("us-snd", "a clinic", "a patient")
    queue.close()
    seen.append(arrivals.newest())
    arrivals.close()
    assert len(set(seen)) == 3


def test_a_store_that_cannot_be_read_leaves_the_usual_rhythm(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "UNREADABLE_SECONDS", 0.0)
    settings.state_path.write_bytes(b"not a database, but a file of the same name" * 100)
    arrivals = Arrivals(settings)
    assert [arrivals.newest(), arrivals.newest()] == [(0, 0.0), (0, 0.0)]
    (line,) = [record.getMessage() for record in caplog.records if "every five seconds" in record.getMessage()]
    assert str(settings.state_path) in line
    settings.state_path.unlink()
    with StateStore.open(settings) as store:
        store.inbox.keep_delivery(Delivery(server="us-snd", event_id="one"))
    assert arrivals.newest() == (1, 0.0), "it is opened again"
    arrivals.close()


def test_a_damaged_queue_of_the_portal_does_not_end_the_daemon(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    Path(settings.portal_requests_path).write_bytes(b"not a database, but a file of the same name" * 100)
    arrivals = Arrivals(settings)
    assert arrivals.newest() == (0, 0.0)
    arrivals.close()
    assert "looked for every five seconds: file is not a database" in caplog.text


def test_dagster_makes_its_daemon_of_sensors_by_the_name_that_is_replaced(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = woken_sensor_daemon(lambda: Arrivals(settings))
    monkeypatch.setattr(controller, "SensorDaemon", ours)

    class Instance:
        def get_sensor_settings(self) -> dict[str, object]:
            return {}

    made = controller.create_daemon_of_type(SensorDaemon.daemon_type(), Instance())  # type: ignore[arg-type]
    assert type(made) is ours
