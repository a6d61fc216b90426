"""Sealed pages: nobody but the portal reads them, and a purge still finds who is in an archive."""

import zipfile
from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.maintenance.report_store import open_report_store
from fullscript_pipeline.portal_store import PageSeal
from fullscript_pipeline.reports import ReportStore, archive_pages
from fullscript_pipeline.reports.page_erasure import archived_days_naming, erase_patient_from_archive
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.running_portal import WEB_KEY, RunningPortal

CLINIC, DAY = "maple-street", date(2026, 11, 22)


def sealed_store(root: Path, *keys: str) -> ReportStore:
    return ReportStore(root, PageSeal(keys or (WEB_KEY,)))


@pytest.fixture
def sealed(portal: RunningPortal) -> Path:
    """The folder of a clinic of the running portal, whose pages are sealed now."""
    reports = portal.reports
    store, folder = sealed_store(reports), reports / "clinics" / CLINIC
    for path in [path for path in folder.rglob("*.*") if path.is_file()]:
        if b"<html" in path.read_bytes() or path.name == "portal.json":
            store.write(path, store.opened(path.read_bytes(), path))
    return folder


def test_only_the_portal_opens_sealed_pages(portal: RunningPortal, sealed: Path) -> None:
    names = portal.patients[CLINIC].values()
    stored = b"".join(path.read_bytes() for path in sealed.rglob("*") if path.is_file())
    assert not [name for name in names if name.encode() in stored]
    client = portal.sign_in(CLINIC)
    for patient, name in portal.patients[CLINIC].items():
        assert name in client.get(f"/clinics/{CLINIC}/patients/{patient}").text
    assert client.get(f"/clinics/{CLINIC}/index.html").status_code == 200


def test_a_sealed_page_is_bound_to_its_place(portal: RunningPortal, sealed: Path) -> None:
    client, (first, second, *_) = portal.sign_in(CLINIC), sorted(portal.patients[CLINIC])
    one, other = (sealed / "patients" / f"{patient}.html" for patient in (first, second))
    before = one.read_bytes()
    try:
        for changed in (other.read_bytes(), before[:-1], before[:-1] + b"x"):
            one.write_bytes(changed)
            answer = client.get(f"/clinics/{CLINIC}/patients/{first}")
            assert answer.status_code == 503
            assert portal.patients[CLINIC][second] not in answer.text
    finally:
        one.write_bytes(before)


def test_two_keys_open_pages_while_the_key_changes(tmp_path: Path) -> None:
    store = sealed_store(tmp_path, "an old key")
    path = store.path_for_patient("k", "p")
    store.write(path, "page")
    both = PageSeal(["a new key", "an old key"])
    assert both.open(path.read_bytes(), "clinics/k/patients/p.html") == b"page"
    with pytest.raises(ConfigurationError, match="another key"):
        PageSeal(["a new key"]).open(path.read_bytes(), "clinics/k/patients/p.html")
    past = store.of_day(DAY)
    past.write(past.path_for_patient("k", "p"), "page")
    with pytest.raises(ConfigurationError):
        both.open(past.path_for_patient("k", "p").read_bytes(), "clinics/k/patients/p.html")
    store.write(store.path_for_digest("us"), "a digest names nobody")
    assert store.path_for_digest("us").read_text() == "a digest names nobody"


def test_a_purge_finds_a_person_in_sealed_archives(tmp_path: Path) -> None:
    store = sealed_store(tmp_path)
    store.write(store.path_for_clinic("k"), "<a href=patients/p1.html>")
    for patient in ("p1", "p2"):
        store.write(store.path_for_patient("k", patient), "page")
    archive = archive_pages(store, "k", DAY, keep_days=9, today=DAY)
    assert archive is not None
    assert archived_days_naming(store, "k", "p1") == [archive]
    assert erase_patient_from_archive(store, "k", "p1") == 2
    with zipfile.ZipFile(archive) as left:
        assert left.namelist() == ["patients/p2.html"]


def test_sealing_needs_the_portals_key(portal: RunningPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_PAGES", "sealed")
    assert open_report_store(load_settings()).opened(b"plain", portal.reports / "x") == b"plain"
    monkeypatch.delenv("FULLSCRIPT_WEB_KEY")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_WEB_KEY is not set"):
        open_report_store(load_settings())
    monkeypatch.setenv("FULLSCRIPT_PAGES", "hidden")
    with pytest.raises(ConfigurationError, match="plain or sealed"):
        load_settings()
