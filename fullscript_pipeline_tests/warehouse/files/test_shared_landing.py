"""Landing files in a place that several machines share: frames one by one, then one file; the work of the dead goes."""

import subprocess
import sys
from pathlib import Path

import pytest

from fullscript_pipeline.files import Files, FolderFiles
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse.files.frame_file import FINISHED, FrameFile
from fullscript_pipeline.warehouse.files.shared_landing import SharedLanding, open_shared_landing
from fullscript_pipeline.warehouse.landing import Request, make_line
from fullscript_pipeline_tests.helpers.s3_server import Bucket

DAY = "us-snd/maple/2026-11-22"
PULL = f"{DAY}/orders.120000-1a2b3c4d"
ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.check_all)])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    if request.param == "folder":
        return FolderFiles(tmp_path / "place")
    bucket: Bucket = request.getfixturevalue("bucket")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", bucket.url)
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://tests@127.0.0.1/none")
    shared = open_shared_landing(load_settings())
    assert shared is not None
    return shared.files


def land(landing: SharedLanding, pages: range, key: str | None = "a key") -> FrameFile:
    file = landing.open(PULL, key, lambda: None)
    for page in pages:
        file.append(Request(endpoint="orders", key="k", page=page, records=1), [make_line({"id": f"o{page}"})])
    return file


def test_a_second_machine_reads_what_the_first_landed_and_adds_to_it(files: Files, tmp_path: Path) -> None:
    one, two = SharedLanding(files, tmp_path / "one"), SharedLanding(files, tmp_path / "two")
    land(one, range(1, 4))
    assert two.unfinished(DAY, "orders") == [PULL] and two.unfinished(DAY, "patients") == []
    file = land(two, range(4, 6))
    assert [line.id for line in file.lines()] == ["o1", "o2", "o3", "o4", "o5"]
    file.finish()
    assert files.names_below("") == [f"{PULL}{FINISHED}"] and two.unfinished(DAY) == []
    assert [line.id for line in file.lines()][-1] == "o5", "the pull that landed it reads it further on"
    copy = tmp_path / PULL
    copy.parent.mkdir(parents=True)
    copy.with_name(f"{copy.name}{FINISHED}").write_bytes(files.get(f"{PULL}{FINISHED}") or b"")
    assert len(FrameFile(copy.with_name(f"{copy.name}{FINISHED}"), "a key").requests()) == 5


def test_nothing_is_stored_of_a_pull_that_landed_nothing(files: Files, tmp_path: Path) -> None:
    land(SharedLanding(files, tmp_path / "one"), range(0)).finish()
    assert files.names_below("") == []


def test_names_and_contents_show_nothing(files: Files, tmp_path: Path) -> None:
    file = SharedLanding(files, tmp_path / "one").open(PULL, "a key", lambda: None)
    file.append(Request(endpoint="patients", key="k"), [make_line({"id": "1", "last_name": "Canary"})])
    (unfinished,) = files.names_below("")
    contents = [files.get(unfinished)]
    file.finish()
    (finished,) = files.names_below("")
    contents.append(files.get(finished))
    assert all(content and b"Canary" not in content for content in contents)
    assert "Canary" not in unfinished + finished


def test_what_a_killed_process_worked_on_is_removed_by_the_next_one(tmp_path: Path) -> None:
    work = tmp_path / "work"
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from fullscript_pipeline.files import FolderFiles\n"
        "from fullscript_pipeline.warehouse.files.shared_landing import SharedLanding\n"
        "landing = SharedLanding(FolderFiles(Path(sys.argv[1])), Path(sys.argv[2]))\n"
        "(landing.make_work_folder() / 'left').write_text('a page')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "place"), str(work)], cwd=ROOT, check=False)
    (left,) = work.rglob("left")
    half_removed = work / "half-removed" / "pages"
    half_removed.mkdir(parents=True)
    mine = SharedLanding(FolderFiles(tmp_path / "place"), work).make_work_folder()
    assert not left.exists()
    assert not half_removed.exists()
    assert mine.is_dir()
    assert [folder.stat().st_mode & 0o777 for folder in work.iterdir()] == [0o700]


def test_a_machine_alone_lands_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket for pages only, or PostgreSQL only: nobody else could go on with its pulls."""
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    assert open_shared_landing(load_settings()) is None
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", "s3://bucket/place")
    assert open_shared_landing(load_settings()) is None
    monkeypatch.delenv("FULLSCRIPT_FILES_URL")
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://tests@127.0.0.1/none")
    assert open_shared_landing(load_settings()) is None
