"""Reading a patient again: the request, who may ask, and the whole way with the runs of the daemon."""

from pathlib import Path

import httpx
import pytest

from fullscript_pipeline.portal_store import DONE, WAITING, make_invitation
from fullscript_pipeline.web import TryLimit
from fullscript_pipeline_tests.helpers.portal_daemon import portal_daemon
from fullscript_pipeline_tests.helpers.running_portal import WEB_KEY, RunningPortal, running_portal

CLINIC, OTHER = "maple-street", "harbor-point"


def ask(portal: RunningPortal, client: httpx.Client, patient: str) -> httpx.Response:
    fields = {"form_key": portal.form_key(client, CLINIC)}
    return client.post(f"/clinics/{portal.keys[CLINIC]}/patients/{patient}/read", data=fields)


def test_a_request_goes_into_the_queue_once(portal: RunningPortal) -> None:
    client, patient = portal.sign_in(CLINIC), next(iter(portal.patients[CLINIC]))
    where = ask(portal, client, patient).headers["location"]
    assert ask(portal, client, patient).headers["location"] == where
    server, clinic_id = (portal.sandbox.clinics[CLINIC][name] for name in ("server", "clinic_id"))
    asked = portal.portal.requests.latest(server, clinic_id, patient)
    assert asked is not None and asked.state == WAITING
    assert "takes the request in a few seconds" in client.get(where).text
    assert "is being read now" in client.get(f"/clinics/{CLINIC}/patients/{patient}").text
    portal.portal.requests.end(asked.request_id, DONE, "Read.")
    assert client.get(where).headers["location"] == f"/clinics/{CLINIC}/patients/{patient}"
    assert "Read again from Fullscript on request: 20" in client.get(f"/clinics/{CLINIC}/patients/{patient}").text
    assert portal.events().count("reading requested") == 2


def test_nobody_asks_for_patients_of_others(portal: RunningPortal) -> None:
    client, theirs = portal.sign_in(CLINIC), next(iter(portal.patients[OTHER]))
    assert ask(portal, client, theirs).status_code == 404
    assert client.get(f"/clinics/{CLINIC}/patients/{theirs}/read").status_code == 404
    mine = next(iter(portal.patients[CLINIC]))
    assert client.post(f"/clinics/{CLINIC}/patients/{mine}/read").status_code == 404, "a form of none of our pages"


def test_a_user_cannot_ask_without_end(portal: RunningPortal) -> None:
    client, patient = portal.sign_in(CLINIC), next(iter(portal.patients[CLINIC]))
    limits, before = portal.portal.limits, portal.portal.limits.readings
    object.__setattr__(limits, "readings", TryLimit(burst=1, per_second=0.001))
    try:
        assert [ask(portal, client, patient).status_code for _ in range(2)] == [303, 429]
    finally:
        object.__setattr__(limits, "readings", before)


@pytest.mark.check_all
@pytest.mark.timeout(300)
def test_from_an_invitation_to_a_patient_who_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign in, connect, first pull, the clinic's real pages; then one patient is read again, and only that patient."""
    with running_portal(tmp_path, monkeypatch, patients=6, clinics=1, without_pages=(CLINIC,)) as portal:
        monkeypatch.setenv("FULLSCRIPT_PAGES", "sealed")
        monkeypatch.setenv("FULLSCRIPT_NOW", str(portal.sandbox.control.state()["clock"]))
        client, server = portal.browser(), portal.sandbox.clinics[CLINIC]["server"]
        invitation = make_invitation([WEB_KEY], server=server, ends_s=portal.clock() + 60)
        client.get(portal.begin(client, CLINIC, invitation=invitation).headers["location"])
        there = client.get("/connect/begin").headers["location"]
        client.get(httpx.get(f"{there}&login={CLINIC}", trust_env=False).headers["location"])
        with portal_daemon(monkeypatch) as daemon:
            assert all(daemon.run(request).succeeded for request in daemon.tick())
            assert daemon.tick() == []
            home = client.get("/connect").headers["location"]
            portal.keys[CLINIC] = home.split("/")[2]
            assert "patients</caption>" in client.get(home, params={"only": "everybody"}).text
            folder = portal.reports / home.strip("/") / "patients"
            written = {path: path.read_bytes() for path in folder.parent.rglob("*.*") if path.is_file()}
            assert len(written) > 10
            assert not [
                path for path, content in written.items() if not content.startswith(b"fullscript-pipeline: sealed")
            ]
            before = {path.stem: path.stat().st_mtime_ns for path in folder.glob("*.html")}
            patient = min(before)
            where = ask(portal, client, patient).headers["location"]
            portal.sandbox.control.reset_requests()
            (request,) = daemon.tick()
            assert patient not in str(request), "a run's config and tags name no patient"
            assert daemon.run(request).succeeded
            counts = portal.sandbox.control.requests()["counts"]
            assert 0 < sum(row["count"] for row in counts) < 60
            changed = {path.stem for path in folder.glob("*.html") if path.stat().st_mtime_ns != before[path.stem]}
            assert changed == {patient}
            page = client.get(where).headers["location"]
            assert page == f"{home}patients/{patient}"
            assert "Read again from Fullscript on request" in client.get(page).text
