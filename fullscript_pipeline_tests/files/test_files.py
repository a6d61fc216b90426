"""A folder and a bucket on a real S3 server answer alike."""

from pathlib import Path

import pytest

from fullscript_pipeline.files import Files, open_files
from fullscript_pipeline.settings import load_settings


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    if request.param == "bucket":
        monkeypatch.setenv("FULLSCRIPT_FILES_URL", request.getfixturevalue("bucket").url)
    else:
        monkeypatch.setenv("FULLSCRIPT_FILES_URL", f"file://{tmp_path / 'elsewhere'}")
    return open_files(load_settings(), "reports")


def test_a_file_is_created_replaced_read_and_removed(files: Files) -> None:
    assert (files.get("a/b.html"), files.exists("a/b.html")) == (None, False)
    files.put("a/b.html", b"old")
    files.put("a/b.html", b"")
    assert (files.get("a/b.html"), files.exists("a/b.html")) == (b"", True)
    files.delete(["a/b.html", "a/none.html"])
    assert files.names_below("") == []


def test_a_file_of_this_machine_is_taken_as_a_whole(files: Files, tmp_path: Path) -> None:
    content = bytes(range(256)) * 50_000  # more than one part of an upload
    (tmp_path / "copy").write_bytes(content)
    files.put("copy.duckdb", tmp_path / "copy")
    assert files.get("copy.duckdb") == content


def test_a_folder_lists_its_own_files_and_folders_only(files: Files) -> None:
    assert (files.names("clinics"), files.folders("clinics"), files.names_below("clinics")) == ([], [], [])
    names = ["clinics.html", "clinics/a/index.html", "clinics/a/patients/1.html", "clinics/b/index.html", "clinics/x"]
    for name in names:
        files.put(name, b"x")
    assert (files.names("clinics"), files.folders("clinics")) == (["x"], ["a", "b"])
    assert (files.names(""), files.folders("")) == (["clinics.html"], ["clinics"])
    assert files.names_below("") == names
    assert files.names_below("clinics/a") == names[1:3]


def test_a_folder_is_removed_with_all_below_it_and_nothing_beside_it(files: Files) -> None:
    for name in ("a/1", "a/b/2", "ab/3"):
        files.put(name, b"x")
    assert files.delete_folder("a") == 2
    assert (files.names_below(""), files.delete_folder("a")) == (["ab/3"], 0)


def test_an_address_names_the_place(files: Files) -> None:
    assert files.address("a/b.html").endswith("/reports/a/b.html")
    assert files.address("").endswith("/reports")
