"""Pages kept for the audit: a private ZIP per day, replaced by a second writing, dropped when the setting says."""

import stat
import zipfile
from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.reports import ReportStore, archive_pages

TODAY = date(2026, 11, 22)


@pytest.fixture
def written(store: ReportStore) -> ReportStore:
    store.write(store.path_for_clinic("green-hill"), "the list")
    store.write(store.path_for_patient("green-hill", "p1"), "a page")
    return store


@pytest.mark.page_folder
def test_an_archive_is_for_its_owner_only(written: ReportStore) -> None:
    path = archive_pages(written, "green-hill", TODAY, keep_days=30, today=TODAY)
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [one for one in written.root.iterdir() if one.name.startswith(".")]


def test_the_days_pages_are_kept_and_replaced_by_a_second_writing(written: ReportStore) -> None:
    path = archive_pages(written, "green-hill", TODAY, keep_days=30, today=TODAY)
    assert path is not None
    assert path.name == "2026-11-22.zip"
    assert zipfile.ZipFile(path).namelist() == ["index.html", "patients/p1.html"]
    written.write(written.path_for_patient("green-hill", "p1"), "a later page")
    archive_pages(written, "green-hill", TODAY, keep_days=30, today=TODAY)
    assert zipfile.ZipFile(path).read("patients/p1.html") == b"a later page"
    assert [one.name for one in path.parent.iterdir()] == ["2026-11-22.zip"]


def test_days_beyond_the_setting_go_and_zero_neither_keeps_nor_drops(written: ReportStore) -> None:
    for day in (date(2026, 10, 22), date(2026, 10, 23)):
        archive_pages(written, "green-hill", day, keep_days=1000, today=TODAY)
    kept = written.root / "kept" / "green-hill"
    archive_pages(written, "green-hill", TODAY, keep_days=30, today=TODAY)
    assert sorted(one.stem for one in kept.iterdir()) == ["2026-10-23", "2026-11-22"]
    assert archive_pages(written, "green-hill", TODAY, keep_days=0, today=TODAY) is None
    assert sorted(one.stem for one in kept.iterdir()) == ["2026-10-23", "2026-11-22"]


@pytest.mark.page_folder
def test_a_folder_that_cannot_be_written_is_a_sentence(written: ReportStore) -> None:
    Path(written.root / "kept").write_text("in the way")
    with pytest.raises(ConfigurationError, match=r"The folder .* cannot be written"):
        archive_pages(written, "green-hill", TODAY, keep_days=30, today=TODAY)
