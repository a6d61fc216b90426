"""Keeps what a run's process prints in the bucket, so that the UI of any machine shows it.

`dagster.yaml` names this class where FULLSCRIPT_FILES_URL is a bucket. Dagster's own manager captures the streams in
files of this machine; they are copied while the run goes on, and removed when it has ended. What does not belong here:
what is printed (no health data, as in any log), and logs of a data directory without a bucket, which Dagster keeps.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import dagster as dg
from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.cloud_storage_compute_log_manager import (
    CloudStorageComputeLogManager,
    PollingComputeLogSubscriptionManager,
)
from dagster._core.storage.compute_log_manager import CapturedLogContext, CapturedLogSubscription, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.files import open_bucket

UPLOAD_SECONDS = 15
_log = logging.getLogger(__name__)


class SharedComputeLogs(CloudStorageComputeLogManager[dg.DagsterInstance], ConfigurableClass):
    """`bucket`: the place for the logs; `base_dir`: the Dagster home of this machine, below which they are captured."""

    def __init__(self, bucket: str, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._files = open_bucket(bucket)
        self._local = LocalComputeLogManager(str(Path(base_dir) / "storage"))
        self._subscriptions = PollingComputeLogSubscriptionManager(self)  # type: ignore[no-untyped-call]
        self._inst_data = inst_data

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"bucket": dg.StringSource, "base_dir": dg.StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @property
    def local_manager(self) -> LocalComputeLogManager:
        return self._local

    @property
    def upload_interval(self) -> int:
        return UPLOAD_SECONDS

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """Keeps them also of a run that is stopped."""
        try:
            with self._poll_for_local_upload(log_key), self._local.capture_logs(log_key) as captured:
                yield captured
        finally:
            self._on_capture_complete(log_key)

    @contextmanager
    def open_log_stream(self, log_key: Sequence[str], io_type: ComputeIOType) -> Iterator[IO[bytes] | None]:
        """The log of a sensor's tick, of which there are thousands a day: one that says nothing is not kept."""
        with self._local.open_log_stream(log_key, io_type) as stream:
            yield stream
        if self._captured(log_key, io_type).stat().st_size:
            self.upload_to_cloud_storage(log_key, io_type)
        self._local.delete_logs(log_key=log_key)

    def upload_to_cloud_storage(self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False) -> None:
        """A bucket that does not answer costs the log, and not the run."""
        captured = self._captured(log_key, io_type)
        if partial and not captured.exists():
            return
        try:
            self._files.put(_name(log_key, io_type, partial=partial), _content(captured))
            if not partial:
                self._files.delete([_name(log_key, io_type, partial=True)])
        except PipelineError as error:
            _log.warning("What the run printed could not be kept: %s", error)

    def download_from_cloud_storage(
        self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False
    ) -> None:
        """Puts it where this machine's own logs are, from where Dagster reads it."""
        captured = self._captured(log_key, io_type, partial=partial)
        captured.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        captured.write_bytes(self._files.get(_name(log_key, io_type, partial=partial)) or b"")

    def cloud_storage_has_logs(self, log_key: Sequence[str], io_type: ComputeIOType, partial: bool = False) -> bool:
        """False, too, where the bucket does not answer: the UI then shows the run without them."""
        try:
            return self._files.exists(_name(log_key, io_type, partial=partial))
        except PipelineError as error:
            _log.warning("What the run printed cannot be read: %s", error)
            return False

    def delete_logs(self, log_key: Sequence[str] | None = None, prefix: Sequence[str] | None = None) -> None:
        """Of one step, or of all below `prefix` (a run's id)."""
        self._local.delete_logs(log_key=log_key, prefix=prefix)
        if log_key:
            for io_type in IO_TYPE_EXTENSION:
                self._files.delete([_name(log_key, io_type), _name(log_key, io_type, partial=True)])
        elif prefix:
            self._files.delete_folder("/".join(prefix))

    def display_path_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> str:
        return self._files.address(_name(log_key, io_type))

    def download_url_for_type(self, log_key: Sequence[str], io_type: ComputeIOType) -> None:
        """None: an address that anybody could fetch it from is not made."""

    def on_subscribe(self, subscription: CapturedLogSubscription) -> None:
        self._subscriptions.add_subscription(subscription)

    def on_unsubscribe(self, subscription: CapturedLogSubscription) -> None:
        self._subscriptions.remove_subscription(subscription)

    def dispose(self) -> None:
        self._subscriptions.dispose()
        self._local.dispose()

    def _captured(self, log_key: Sequence[str], io_type: ComputeIOType, *, partial: bool = False) -> Path:
        return Path(self._local.get_captured_local_path(log_key, IO_TYPE_EXTENSION[io_type], partial=partial))


def _name(log_key: Sequence[str], io_type: ComputeIOType, *, partial: bool = False) -> str:
    return f"{'/'.join(log_key)}.{IO_TYPE_EXTENSION[io_type]}{'.partial' if partial else ''}"


def _content(captured: Path) -> bytes:
    return captured.read_bytes() if captured.exists() else b""
