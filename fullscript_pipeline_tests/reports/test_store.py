"""The folder: permissions, atomic replacement, names without meaning, errors as a sentence."""

import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.reports.store import ReportStore, file_id


@pytest.mark.page_folder
def test_files_and_folders_are_for_this_user_only(store: ReportStore) -> None:
    path = store.path_for_patient("green-hill", "pat-1")
    store.write(path, "x")
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path.parent, path.parent.parent, store.root / "clinics", store.root):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.page_folder
def test_a_page_is_replaced_whole_and_leaves_nothing_beside_it(store: ReportStore) -> None:
    path = store.path_for_index()
    store.write(path, "old")
    with path.open() as reader:
        assert store.write(path, "newer") == 5
        assert reader.read() == "old"
    assert path.read_text() == "newer"
    assert [entry.name for entry in path.parent.iterdir()] == ["index.html"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "reports"
    blocked.write_text("a file, not a folder")
    store = ReportStore(blocked)
    with pytest.raises(ConfigurationError, match=r"cannot be written .* run the command again"):
        store.write(store.path_for_index(), "x")


@given(st.text(max_size=200))
def test_any_id_is_a_plain_file_name(opaque: str) -> None:
    name = file_id(opaque)
    assert name
    assert "/" not in name
    assert not name.startswith(".")
    assert os.fsencode(name).isascii()
    assert len(name) <= 100


@pytest.mark.parametrize("opaque", ["../../etc", "..", ".", "", "a/b", "a|b", "Mia Stone", "é", "a" * 101, "con."])
def test_unsafe_ids_become_digests(opaque: str) -> None:
    assert file_id(opaque).startswith("x-")


def test_safe_ids_stay_readable() -> None:
    assert file_id("3f2b8c1e-0000-4000-8000-000000000000") == "3f2b8c1e-0000-4000-8000-000000000000"


def test_digest_days_are_newest_first(store: ReportStore) -> None:
    for day in (date(2026, 11, 20), date(2026, 11, 22), date(2026, 11, 21)):
        store.write(store.path_for_digest("us", day), "x")
    store.write(store.path_for_digest("us"), "x")
    assert [day.day for day in store.digest_days("us")] == [22, 21, 20]
    assert store.regions() == ["us"]


@pytest.mark.parametrize(
    "opaque", ["con", "NUL", "aux.txt", "com1", "lpt9.a.b", "prn.", "Com3", "a.", "7-page-2", "Ab"]
)
def test_no_name_is_a_device_or_another_page_of_ours(opaque: str) -> None:
    assert file_id(opaque).startswith("x-")


@pytest.mark.parametrize("opaque", ["confetti", "com", "com10", "nullable", "a.con", "lab-page", "x-1", "0"])
def test_what_only_looks_like_one_keeps_its_name(opaque: str) -> None:
    assert file_id(opaque) == opaque


@given(st.lists(st.text("abAB12.-_xcon ", max_size=6), unique=True, max_size=40))
def test_two_ids_have_two_names_where_case_is_ignored_too(ids: list[str]) -> None:
    more = {*ids, *(one.upper() for one in ids), *(one.lower() for one in ids), *(file_id(one) for one in ids)}
    store = ReportStore(Path("/r"))
    pages = [store.path_for_practitioner("c", one, page) for one in more for page in (1, 2)]
    assert len({str(path).casefold().rstrip(". ") for path in pages}) == len(pages)
