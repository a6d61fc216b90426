"""The portal over pages in a bucket: the same pages, nobody else's, and a sentence when it is gone."""

from pathlib import Path

import pytest

from fullscript_pipeline_tests.helpers.running_portal import running_portal
from fullscript_pipeline_tests.helpers.s3_server import Bucket
from fullscript_pipeline_tests.helpers.wait_until import wait

CLINIC, OTHER = "maple-street", "harbor-point"

pytestmark = pytest.mark.check_all


def test_the_portal_shows_pages_of_a_bucket(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", bucket.url)
    with running_portal(
        tmp_path, monkeypatch, reports=bucket.folder / "reports", patients=9, clinics=2, assigned_patients_only=True
    ) as portal:
        client = portal.sign_in(CLINIC)
        patient, name = next(iter(portal.patients[CLINIC].items()))
        assert name in client.get(f"/clinics/{CLINIC}/", params={"only": "everybody"}).text
        assert name in client.get(f"/clinics/{CLINIC}/patients/{patient}").text
        stranger = next(iter(portal.patients[OTHER]))
        assert client.get(f"/clinics/{CLINIC}/patients/{stranger}").status_code == 404
        assert client.get(f"/clinics/{OTHER}/").status_code == 404
        page = next((portal.reports / "clinics" / CLINIC / "patients").glob("*.html"))
        page.write_text(page.read_text().replace("<body>", "<body><p>written again</p>"))
        assert "written again" in client.get(f"/clinics/{CLINIC}/patients/{page.stem}").text
        assert not (tmp_path / "data" / "reports").exists()


def test_a_list_that_was_written_again_is_seen_within_seconds(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", bucket.url)
    monkeypatch.setattr("fullscript_pipeline.web.clinic_files._LOOK_SECONDS", 0.0)
    with running_portal(tmp_path, monkeypatch, reports=bucket.folder / "reports", patients=5, clinics=1) as portal:
        client, (patient, name) = portal.sign_in(CLINIC), next(iter(portal.patients[CLINIC].items()))
        listed = portal.reports / "clinics" / CLINIC / "portal.json"
        assert name in client.get(f"/clinics/{CLINIC}/", params={"only": "everybody"}).text
        listed.write_text(listed.read_text().replace(name, "Somebody Renamed"))
        assert "Somebody Renamed" in client.get(f"/clinics/{CLINIC}/", params={"only": "everybody"}).text
        listed.unlink()
        assert client.get(f"/clinics/{CLINIC}/patients/{patient}").status_code == 404


def test_a_bucket_that_is_gone_is_a_sentence(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", bucket.url)
    monkeypatch.setattr("fullscript_pipeline.web.clinic_files._LOOK_SECONDS", 0.0)
    with running_portal(tmp_path, monkeypatch, reports=bucket.folder / "reports", patients=5, clinics=1) as portal:
        client = portal.sign_in(CLINIC)
        bucket.folder.parent.rename(tmp_path / "gone")
        # What was found last holds until the next look.
        assert wait(lambda: client.get(f"/clinics/{CLINIC}/").status_code == 503, 30)
        answer = client.get(f"/clinics/{CLINIC}/")
        assert "The portal cannot answer now" in answer.text
        assert bucket.url not in answer.text
