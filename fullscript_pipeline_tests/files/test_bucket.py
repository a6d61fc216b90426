"""What a bucket does that a folder does not: refuse, be missing, not answer; each is one sentence without a secret."""

import subprocess
import sys
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError, PipelineError, ServiceUnavailable
from fullscript_pipeline.files import Files, open_files
from fullscript_pipeline.files.bucket import BucketFiles
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.free_ports import free_port
from fullscript_pipeline_tests.helpers.s3_server import Bucket

_CODE = """
import sys
import fullscript_pipeline.definitions
from fullscript_pipeline.cli import publish
from fullscript_pipeline.files import open_files
from fullscript_pipeline.settings import load_settings
open_files(load_settings(), "reports").names("")
of_the_extra = {"obstore", "psycopg2", "dagster_postgres", "celery", "dagster_celery", "kombu", "redis"}
print(sorted({name.partition(".")[0] for name in sys.modules} & of_the_extra))
"""


def _told(files: Files, error: type[PipelineError]) -> set[str]:
    """The sentences of every kind of request."""
    sentences = set()
    requests = (
        lambda: files.put("a", b""), lambda: files.get("a"), lambda: files.names("a"), lambda: files.folders("a"),
        lambda: files.names_below("a"), lambda: files.delete_folder("a"),
    )  # fmt: skip
    for request in requests:
        with pytest.raises(error) as caught:
            request()
        sentences.add(str(caught.value))
    return sentences


def test_nothing_of_the_extra_is_imported_without_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    run = [sys.executable, "-c", _CODE]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "[]\n"


def test_without_the_extra_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", "s3://bucket/prefix")
    monkeypatch.setitem(sys.modules, "fullscript_pipeline.files.bucket", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'fullscript-pipeline\[distributed\]'"):
        open_files(load_settings(), "reports")


def test_a_bucket_that_is_missing_is_no_empty_folder(bucket: Bucket) -> None:
    sentences = _told(BucketFiles("s3://missing/place"), ConfigurationError)
    assert all("There is no bucket for s3://missing/place" in sentence for sentence in sentences)


def test_wrong_credentials_are_refused_and_not_repeated(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    (sentence,) = _told(BucketFiles(bucket.url), ConfigurationError)
    assert "refuses these credentials (SignatureDoesNotMatch)" in sentence
    assert "another-secret" not in sentence


def test_a_server_that_does_not_answer_is_exit_code_69(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("fullscript_pipeline.files.bucket.RETRIES", 0)
    (sentence,) = _told(BucketFiles(bucket.url), ServiceUnavailable)
    assert f"The bucket at {bucket.url} does not answer (no connection)" in sentence
