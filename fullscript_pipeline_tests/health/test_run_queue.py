"""What `doctor` says of the queue of runs, on a real Redis."""

from pathlib import Path

import pytest
import redis
from kombu.exceptions import OperationalError

from fullscript_pipeline.health.finding import Finding
from fullscript_pipeline.health.run_queue import check_run_queue
from fullscript_pipeline.orchestration.celery_launcher import CeleryLauncher
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.redis_server import PASSWORD, RedisServer, running_redis

pytestmark = pytest.mark.check_all


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    return load_settings()


def finding(settings: Settings, queue: str) -> Finding:
    (found,) = check_run_queue(settings.model_copy(update={"runner": f"celery+{queue}"}))
    assert found.id == "runs.queue"
    assert PASSWORD not in str(found)
    return found


def test_a_queue_that_answers_says_how_many_runs_wait(settings: Settings, queue: RedisServer) -> None:
    """Put there as the daemon does; nobody takes them."""
    celery = CeleryLauncher(queue.url).celery
    found = finding(settings, queue.url)
    assert (found.state, "answers; 0 runs in it" in found.what) == ("pass", True)
    try:
        for _ in range(2):
            celery.send_task("nothing", queue="dagster")
        assert "answers; 2 runs in it" in finding(settings, queue.url).what
    finally:
        with redis.Redis.from_url(queue.url) as opened:
            opened.delete("dagster")


def test_a_wrong_password_and_a_queue_out_of_reach_are_told(settings: Settings, queue: RedisServer) -> None:
    wrong = finding(settings, f"redis://:another@127.0.0.1:{queue.port}/0")
    away = finding(settings, f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0")
    assert [wrong.state, away.state] == ["fail", "fail"]
    assert "password" in wrong.what and "another@" not in wrong.what
    assert "does not answer" in away.what


def test_a_queue_over_tls_is_used_if_its_certificate_is_trusted(settings: Settings) -> None:
    """By Celery, which the daemon and the workers use, as by `doctor`."""
    with running_redis(uses_tls=True) as queue:
        trusted = settings.model_copy(update={"runner": f"celery+{queue.url}"})
        assert finding(settings, queue.url).state == "pass"
        CeleryLauncher(str(trusted.broker_url)).celery.send_task("nothing", queue="dagster")
        assert "answers; 1 run in it" in finding(settings, queue.url).what
        stranger = settings.model_copy(update={"runner": f"celery+{queue.url.partition('?')[0]}"})
        celery = CeleryLauncher(str(stranger.broker_url)).celery
        with (
            pytest.raises(OperationalError, match="certificate verify failed"),
            celery.connection_for_write() as opened,
        ):
            opened.ensure_connection(max_retries=1, timeout=1)
        told = finding(settings, queue.url.partition("?")[0])
        assert (told.state, "certificate verify failed" in told.what) == ("fail", True)


def test_without_a_queue_there_is_nothing_to_say(settings: Settings) -> None:
    assert list(check_run_queue(settings)) == []
