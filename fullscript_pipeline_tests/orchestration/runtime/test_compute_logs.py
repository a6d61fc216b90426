"""What a run printed on one machine is read on another, while it goes on and after it; a bucket that is down costs it.

What does not belong here: what the pipeline prints.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from dagster._core.storage.compute_log_manager import ComputeIOType

from fullscript_pipeline.orchestration.runtime import instance as instance_module
from fullscript_pipeline.orchestration.runtime.compute_logs import SharedComputeLogs
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.s3_server import Bucket, S3Server

RUN = ["b0e4c6d2-4a4e-4b7e-9f53-0d6a4a1c7a11", "compute_logs", "clinic"]
TICK = ["instigation", "refresh_sensor", "1764540000"]


@pytest.fixture
def machines(
    tmp_path: Path, bucket: Bucket, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sequence[SharedComputeLogs]]:
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    opened = [SharedComputeLogs(f"{bucket.url}/compute-logs", str(tmp_path / name)) for name in ("worker", "ui")]
    yield opened
    for logs in opened:
        logs.dispose()


def printed(logs: SharedComputeLogs, log_key: Sequence[str]) -> str | None:
    content = logs.get_log_data(log_key).stdout
    return None if content is None else content.decode()


@pytest.mark.check_all
def test_another_machine_reads_what_a_run_printed(
    machines: Sequence[SharedComputeLogs], bucket: Bucket, tmp_path: Path
) -> None:
    worker, ui = machines
    with worker.capture_logs(RUN):
        print("200 orders read", flush=True)  # noqa: T201 - it is what is captured
        worker.on_progress(RUN)  # type: ignore[no-untyped-call]
        assert printed(ui, RUN) == "200 orders read\n"
        assert not ui.is_capture_complete(RUN)
        print("200 orders loaded", flush=True)  # noqa: T201
    assert ui.is_capture_complete(RUN)
    assert printed(ui, RUN) == "200 orders read\n200 orders loaded\n"
    assert [path for path in bucket.objects() if path.endswith(".partial")] == []
    assert not list((tmp_path / "worker").rglob("*.out")), "what is in the bucket is not kept twice"


@pytest.mark.check_all
def test_ticks_without_a_word_cost_no_object_and_a_removed_run_leaves_none(
    machines: Sequence[SharedComputeLogs], bucket: Bucket
) -> None:
    worker, _ = machines
    for words in (b"", b"the feed was down\n"):
        with worker.open_log_stream(TICK, ComputeIOType.STDERR) as stream:
            assert stream is not None
            stream.write(words.decode())  # type: ignore[call-overload]
        assert len(bucket.objects()) == bool(words)
    with worker.capture_logs(RUN):
        pass
    assert len(bucket.objects()) == 3
    worker.delete_logs(log_key=TICK)
    worker.delete_logs(prefix=RUN[:1])
    assert bucket.objects() == []


@pytest.mark.check_all
def test_a_bucket_that_is_gone_does_not_fail_the_run(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    logs = SharedComputeLogs("s3://nobody-made-it/compute-logs", str(tmp_path))
    with logs.capture_logs(RUN):
        print("words", flush=True)  # noqa: T201
    assert "There is no bucket" in caplog.text
    logs.dispose()


def entries_after(path: Path, variables: Mapping[str, str], patch: pytest.MonkeyPatch) -> list[str]:
    """The classes that `dagster.yaml` names for compute logs."""
    for name in ("FULLSCRIPT_FILES_URL", "FULLSCRIPT_STATE_URL"):
        patch.delenv(name, raising=False)
    for name, value in variables.items():
        patch.setenv(name, value)
    instance_module._bring_up_to_date(path, load_settings())
    found = yaml.safe_load(path.read_text()).get("compute_logs")
    return [found["class"]] if found else []


def test_the_bucket_brings_the_entry_and_takes_it_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    path = tmp_path / "dagster.yaml"
    path.write_text(instance_module._template("dagster.yaml"))
    assert entries_after(path, {}, monkeypatch) == []
    before = path.read_text()
    bucket = {"FULLSCRIPT_FILES_URL": "s3://bucket/place"}
    assert entries_after(path, bucket, monkeypatch) == ["SharedComputeLogs"]
    assert entries_after(path, bucket, monkeypatch) == ["SharedComputeLogs"]
    assert entries_after(path, {}, monkeypatch) == []
    assert path.read_text() == before
    path.write_text(re.sub("^", "compute_logs: {module: theirs, class: Theirs}\n", before, count=1))
    assert entries_after(path, bucket, monkeypatch) == ["Theirs"]
