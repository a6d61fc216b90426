"""Who sees whom: a clinic only itself, a user only whom Fullscript lists to them; refusals are recorded."""

from pathlib import Path

import httpx
import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.crossed_requests import addresses, send_crossed_requests, visible_names
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal

CLINIC, OTHER = "maple-street", "harbor-point"
USERS = ("", "practitioner-2", "practitioner-3", "practitioner-4", "staff-1", "staff-2", "staff-3")


@pytest.mark.parametrize("user", USERS)
def test_a_user_sees_the_patients_that_fullscript_lists_to_them(portal: RunningPortal, user: str) -> None:
    client, allowed = portal.sign_in(CLINIC, user), visible_names(portal, CLINIC, user)
    everybody = set(portal.patients[CLINIC].values())
    listed = client.get(f"/clinics/{CLINIC}/", params={"only": "everybody"}).text
    assert {name for name in everybody if name in listed} == allowed
    for patient, name in portal.patients[CLINIC].items():
        answer = client.get(f"/clinics/{CLINIC}/patients/{patient}")
        assert (answer.status_code == 200) == (name in allowed)
        assert (name in answer.text) == (name in allowed)
    # A list of the last run names everybody.
    assert (client.get(f"/clinics/{CLINIC}/index.html").status_code == 200) == (allowed == everybody)


def test_another_clinic_is_not_there(portal: RunningPortal) -> None:
    client, names = portal.sign_in(CLINIC), set(portal.patients[OTHER].values()) - set(portal.patients[CLINIC].values())
    before = len(portal.events())
    for path in addresses(portal, OTHER):
        answer = client.get(path)
        assert answer.status_code == 404
        assert not [name for name in names if name in answer.text]
    assert portal.events()[before:] == ["refused"] * len(addresses(portal, OTHER))


def test_ids_of_others_mixed_into_every_place_show_nothing(portal: RunningPortal) -> None:
    """Promise 44, in small; the soak has ten clinics with ten users each and 10,000 requests."""
    outcome = send_crossed_requests(portal, [CLINIC, OTHER], USERS[:3], requests=120, seed=1)
    assert (outcome.foreign, outcome.recorded) == (0, outcome.refused)
    assert outcome.refused > 30


@pytest.mark.parametrize(
    "path",
    ["portal.json", "patients/../../harbor-point/index.html", "..%2Fharbor-point%2Findex.html", "%2e%2e/portal.json",
     "patients/portal.json", ".writing-x", "index.html%00", "//etc/passwd", "practitioners/%2e%2e%2fportal.json"],
)  # fmt: skip
def test_nothing_but_pages_is_served(portal: RunningPortal, path: str) -> None:
    client = portal.sign_in(CLINIC)
    assert client.get(f"/clinics/{CLINIC}/{path}").status_code in {404, 303}
    assert client.get(f"/catalog/us/{path}").status_code in {404, 303}


def test_a_link_out_of_the_folder_is_not_served(portal: RunningPortal, tmp_path: Path) -> None:
    (outside := tmp_path / "secret.html").write_text("<body>not for the portal")
    folder = portal.reports / "catalog" / "us"
    folder.mkdir(parents=True, exist_ok=True)
    (link := folder / "linked.html").symlink_to(outside)
    (plain := folder / "plain.html").write_text("<body>a page")
    client = portal.sign_in("maple-street")
    assert client.get("/catalog/us/plain.html").status_code == 200
    assert client.get("/catalog/us/linked.html").status_code == 404
    link.unlink()
    plain.unlink()


def test_the_whole_clinic_is_shown_where_the_operator_says_so(portal: RunningPortal) -> None:
    everybody, user = set(portal.patients[CLINIC].values()), "practitioner-2"
    assert visible_names(portal, CLINIC, user) < everybody, "by default a user sees their own list"
    object.__setattr__(portal.portal.configuration, "shows_whole_clinic", True)
    try:
        client = portal.sign_in(CLINIC, user)
    finally:
        object.__setattr__(portal.portal.configuration, "shows_whole_clinic", False)
    listed = client.get(f"/clinics/{CLINIC}/", params={"only": "everybody"}).text
    assert {name for name in everybody if name in listed} == everybody
    assert client.get(f"/clinics/{CLINIC}/index.html").status_code == 200
    theirs = next(iter(portal.patients[OTHER]))
    assert client.get(f"/clinics/{CLINIC}/patients/{theirs}").status_code == 404
    assert client.get(f"/clinics/{OTHER}/").status_code == 404


def test_the_operators_word_is_own_or_clinic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_WEB_PATIENTS", "clinic")
    assert load_settings().web_patients == "clinic"
    monkeypatch.setenv("FULLSCRIPT_WEB_PATIENTS", "all")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_WEB_PATIENTS"):
        load_settings()


def test_a_plan_opens_in_fullscript_as_the_user_who_clicks(portal: RunningPortal) -> None:
    client, (plan, patient) = portal.sign_in(CLINIC, "staff-1"), next(iter(portal.plans[CLINIC].items()))
    assert f"/clinics/{CLINIC}/plans/{plan}/open" in client.get(f"/clinics/{CLINIC}/patients/{patient}").text
    answer = client.get(f"/clinics/{CLINIC}/plans/{plan}/open")
    assert answer.status_code == 303
    there = httpx.get(answer.headers["location"], trust_env=False).text
    assert f"Treatment plan {plan}, opened at catalog by Staff" in there
    assert portal.portal.audit.entries()[-1]["event"] == "plan opened"
    assert patient not in str(portal.portal.audit.entries()), "an entry holds a digest"


@pytest.mark.parametrize(
    ("fault", "status"),
    [("forbidden", 403), ("not_found", 404), ("http_500", 502), ("html_200", 502), ("redirect_elsewhere", 502)],
)
def test_why_a_plan_does_not_open_is_said(portal: RunningPortal, fault: str, status: int) -> None:
    client, plan = portal.sign_in(CLINIC), next(iter(portal.plans[CLINIC]))
    portal.sandbox.control.arm(fault, endpoint="/clinic/dynamic_links/*", count=None)
    try:
        answer = client.get(f"/clinics/{CLINIC}/plans/{plan}/open")
        assert (answer.status_code, "location" in answer.headers) == (status, False)
    finally:
        portal.sandbox.control.disarm()


def test_a_plan_opens_at_the_entry_point_that_is_wanted(portal: RunningPortal) -> None:
    client, plan = portal.sign_in(CLINIC), next(iter(portal.plans[CLINIC]))
    address = f"/clinics/{CLINIC}/plans/{plan}/open"
    labs = client.get(address, params={"entrypoint": "labs"}).headers["location"]
    assert "opened at labs by Practitioner" in httpx.get(labs, trust_env=False).text
    assert client.get(address, params={"entrypoint": "elsewhere"}).status_code == 422


def test_a_request_commits_one_entry_at_most(portal: RunningPortal) -> None:
    """Each entry is synced to the disk before the answer: two would cost twice."""
    client = portal.sign_in(CLINIC)
    counts = []
    for path in (*addresses(portal, CLINIC), *addresses(portal, OTHER)):
        before = len(portal.events())
        client.get(path)
        counts.append(len(portal.events()) - before)
    assert set(counts) <= {0, 1}
    assert sum(counts) > len(counts) // 2, "views and refusals are entries"


def test_the_audit_log_is_whole_and_says_when_it_was_changed(portal: RunningPortal) -> None:
    portal.sign_in(CLINIC)
    assert portal.portal.audit.damage() == []
    with portal.portal.database.write() as connection:
        connection.exec_driver_sql("UPDATE audit_log SET entry = replace(entry, 'signed', 'sighed') WHERE number = 1")
    assert portal.portal.audit.damage() == [1]
    with portal.portal.database.write() as connection:
        connection.exec_driver_sql("UPDATE audit_log SET entry = replace(entry, 'sighed', 'signed') WHERE number = 1")
