"""The code server of `ui`: reached through its workspace by this user alone, and gone afterwards."""

import stat
import sys
import tempfile
from pathlib import Path

import pytest
from dagster._core.test_utils import instance_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from fullscript_pipeline.cli.code_server import LOCATION, code_server
from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable
from fullscript_pipeline.settings import load_settings


def test_dagsters_processes_find_the_definitions_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    settings = load_settings()
    settings.prepare_data_dir()
    with code_server(settings, "colored", {}) as server:
        folder = server.workspace.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, "nobody else reaches the socket"
        target = WorkspaceFileTarget(paths=[str(server.workspace)])
        with instance_for_test() as instance, WorkspaceProcessContext(instance, target) as process:
            location = process.create_request_context().get_code_location(LOCATION)
            (repository,) = location.get_repositories().values()
            assert repository.has_job("clinic_daily")
        assert server.process.poll() is None
    assert server.process.poll() is not None
    assert not folder.exists()


def test_a_temporary_folder_that_is_too_deep_for_a_socket_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep := tmp_path / ("deep" * 25)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with (
        pytest.raises(ConfigurationError, match=r"TMPDIR .* is too long for a socket"),
        code_server(load_settings(), "colored", {}),
    ):
        pass
    assert not list(deep.iterdir())


def test_one_that_cannot_start_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    settings = load_settings()
    settings.prepare_data_dir()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        pytest.raises(ServiceUnavailable, match="The code server stopped with exit code 1"),
        code_server(settings, "colored", {}),
    ):
        pass
