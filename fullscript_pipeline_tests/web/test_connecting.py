"""A clinic without pages comes aboard: who is offered to connect it, the way of the code to the daemon, progress."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from fullscript_pipeline.portal_store import FAILED, TAKEN, make_invitation, read_invitation
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.portal_daemon import portal_daemon
from fullscript_pipeline_tests.helpers.running_portal import WEB_KEY, RunningPortal, running_portal

NEW, OTHER, THIRD = "harbor-point", "maple-street", "cedre-rouge"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPortal]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        running_portal(
            tmp_path_factory.mktemp("connecting"), monkeypatch, patients=5, clinics=3, assigned_patients_only=True,
            without_pages=(NEW, OTHER, THIRD),
        ) as running,
    ):  # fmt: skip
        yield running


def invitation(portal: RunningPortal, slug: str = NEW, seconds: float = 3600) -> str:
    server = portal.sandbox.clinics[slug]["server"]
    return make_invitation([WEB_KEY], server=server, ends_s=portal.clock() + seconds)


def invited(portal: RunningPortal, slug: str, text: str, user: str = "") -> httpx.Client:
    """A browser in which a user has signed in with an invitation."""
    client = portal.browser()
    client.get(portal.begin(client, slug, user, invitation=text).headers["location"])
    return client


def approve(client: httpx.Client, login: str) -> httpx.Response:
    """The second authorization, and back to the portal."""
    there = client.get("/connect/begin").headers["location"]
    back = httpx.get(f"{there}&login={login}", trust_env=False).headers["location"]
    return client.get(back)


def test_without_an_invitation_nobody_is_offered_to_connect(portal: RunningPortal) -> None:
    client = portal.browser()
    answer = client.get(portal.begin(client, NEW).headers["location"])
    assert answer.status_code == 403
    assert "Ask whoever runs this portal" in answer.text
    assert client.get("/connect").headers["location"] == "/"


@pytest.mark.parametrize("text", ["", "x", "e30.00", "{body}.{wrong}", "over", "other server"])
def test_a_forged_or_old_invitation_begins_no_sign_in(portal: RunningPortal, text: str) -> None:
    body, _, signature = invitation(portal).partition(".")
    given = {
        "over": invitation(portal, seconds=-1),
        "other server": make_invitation([WEB_KEY], server="us", ends_s=portal.clock() + 60),
    }.get(text, text.format(body=body, wrong=signature[::-1]))
    server = portal.sandbox.clinics[NEW]["server"]
    assert portal.browser().get(f"/signin/{server}", params={"invitation": given}).status_code == 403
    assert read_invitation(["another key"], invitation(portal), now=0) is None


def test_a_clinic_is_connected_once_with_an_invitation(portal: RunningPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    text = invitation(portal)
    client = invited(portal, NEW, text)
    assert client.get("/").headers["location"] == "/connect"
    offer = client.get("/connect").text
    assert "Connect the clinic<" in offer and 'role="alert"' not in offer, "the owner sees everybody"
    there = client.get("/connect/begin").headers["location"]
    app = portal.sandbox.apps[portal.sandbox.clinics[NEW]["server"]]
    assert parse_qs(urlsplit(there).query)["client_id"] == [app["client_id"]], "the pipeline's own app"
    assert approve(client, NEW).headers["location"] == "/connect"
    assert "takes the request in a few seconds" in client.get("/connect").text
    with portal_daemon(monkeypatch) as daemon:
        assert [run.job_name for run in daemon.tick()] == ["catalog_daily", "clinic_daily"]
        assert "Its first pull begins" in client.get("/connect").text
        with StateStore.open(load_settings()) as store:
            (clinic,) = store.clinics.all()
            assert clinic.clinic_id == portal.sandbox.clinics[NEW]["clinic_id"]
        assert daemon.tick() == [], "a request is taken once"
    assert portal.events().count("connection requested") == 1
    again = invited(portal, OTHER, text)
    assert again.get("/connect").status_code == 303, "the invitation was used"
    colleague = portal.browser()
    answer = colleague.get(portal.begin(colleague, NEW, "practitioner-2").headers["location"])
    assert answer.headers["location"] == "/connect", "others of the clinic see the progress"
    assert client.get("/clinics/harbor-point/").status_code == 404


def test_no_process_but_the_daemon_reads_the_code(portal: RunningPortal) -> None:
    client = invited(portal, OTHER, invitation(portal, OTHER))
    there = client.get("/connect/begin").headers["location"]
    back = httpx.get(f"{there}&login={OTHER}", trust_env=False).headers["location"]
    code = parse_qs(urlsplit(back).query)["code"][0]
    client.get(back)
    folder = portal.portal.configuration.requests.parent
    stored = b"".join(path.read_bytes() for path in folder.glob("portal*.sqlite*"))
    assert code.encode() not in stored
    with closing(sqlite3.connect(portal.portal.configuration.requests)) as connection:
        assert connection.execute("SELECT count(*) FROM requests WHERE state = 'waiting'").fetchone() == (1,)


def test_another_clinic_than_the_one_that_signed_in_is_not_connected(
    portal: RunningPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = invitation(portal, OTHER)
    client = invited(portal, OTHER, text)
    approve(client, NEW)
    with portal_daemon(monkeypatch) as daemon:
        assert daemon.tick() == []
        with StateStore.open(load_settings()) as store:
            assert OTHER not in {clinic.clinic_key for clinic in store.clinics.all()}
    shown = client.get("/connect").text
    assert "another clinic has approved" in shown and "Connect the clinic" in shown
    assert not portal.portal.requests.is_used(read_invitation([WEB_KEY], text, now=0).invitation_id)  # type: ignore[union-attr]


def test_staff_and_who_sees_few_patients_are_warned(portal: RunningPortal) -> None:
    staff = invited(portal, OTHER, invitation(portal, OTHER), "staff-1")
    assert "You are signed in as staff." in staff.get("/connect").text
    few = invited(portal, OTHER, invitation(portal, OTHER), "practitioner-2")
    assert "of the clinic&#39;s" in few.get("/connect").text


def test_a_request_that_nobody_takes_fails_after_ten_minutes(
    portal: RunningPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = invited(portal, OTHER, invitation(portal, OTHER))
    approve(client, OTHER)
    server, clinic_id = (portal.sandbox.clinics[OTHER][name] for name in ("server", "clinic_id"))
    portal.clock.ahead = 61
    assert "has not taken the request yet" in client.get("/connect").text
    portal.clock.ahead = 601
    assert portal.portal.requests.take() == []
    asked = portal.portal.requests.latest(server, clinic_id)
    assert asked is not None and asked.state == FAILED != TAKEN
    portal.clock.ahead = 0


def test_the_operator_can_name_clinics(portal: RunningPortal) -> None:
    configuration, clinic_id = portal.portal.configuration, portal.sandbox.clinics[THIRD]["clinic_id"]
    object.__setattr__(configuration, "admitted_clinics", frozenset({clinic_id}))
    try:
        client = portal.browser()
        answer = client.get(portal.begin(client, THIRD).headers["location"])
        assert answer.headers["location"] == "/connect"
        assert "Connect the clinic" in client.get("/connect").text
    finally:
        object.__setattr__(configuration, "admitted_clinics", frozenset())
