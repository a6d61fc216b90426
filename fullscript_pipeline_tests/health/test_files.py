"""What `doctor` says of the bucket that files are kept in."""

from pathlib import Path

import pytest

from fullscript_pipeline.health.files import check_files
from fullscript_pipeline.health.finding import Finding
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.s3_server import Bucket


@pytest.fixture(autouse=True)
def _files_in_bucket(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", bucket.url)


def _finding() -> Finding:
    (found,) = check_files(load_settings())
    return found


def test_a_bucket_that_can_be_written_passes_and_keeps_nothing_of_the_check(bucket: Bucket) -> None:
    assert _finding().state == "pass"
    assert bucket.objects() == []


def test_a_bucket_that_refuses_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
    assert (_finding().state, _finding().exit_code, "refuses these credentials" in _finding().what) == (
        "fail",
        78,
        True,
    )


def test_a_server_elsewhere_without_tls_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fullscript_pipeline.health.files.is_loopback", lambda _: False)
    assert (_finding().state, "without TLS" in _finding().what) == ("fail", True)


def test_a_folder_needs_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FULLSCRIPT_FILES_URL")
    assert list(check_files(load_settings())) == []
