"""Notes of a patient: called, set aside, texts; with author and history, for the clinic's own users only."""

import html
from datetime import timedelta

import httpx
import pytest

from fullscript_pipeline.portal_store import Seal
from fullscript_pipeline_tests.helpers.running_portal import WEB_KEY, RunningPortal

CLINIC, OTHER = "maple-street", "harbor-point"


def listed(portal: RunningPortal, client: httpx.Client, **form: str) -> str:
    fields = {"form_key": portal.form_key(client, CLINIC), **form}
    return client.post(f"/clinics/{CLINIC}/", data=fields).text.partition('<div id="found"')[2]


def note(portal: RunningPortal, client: httpx.Client, patient: str, **form: str) -> httpx.Response:
    fields = {"form_key": portal.form_key(client, CLINIC), **form}
    return client.post(f"/clinics/{CLINIC}/patients/{patient}/notes", data=fields)


def waiting(portal: RunningPortal) -> list[str]:
    """The ids of patients who are on the call list."""
    return sorted(set(portal.plans[CLINIC].values()))


def test_a_note_is_kept_with_author_and_history(portal: RunningPortal) -> None:
    client, patient = portal.sign_in(CLINIC), waiting(portal)[0]
    for kind, text in (("called", "will order <b>soon</b>"), ("note", "prefers e-mail")):
        answer = note(portal, client, patient, kind=kind, text=text)
        assert answer.status_code == 303
    page = client.get(answer.headers["location"]).text
    assert page.index("prefers e-mail") < page.index(html.escape("will order <b>soon</b>"))
    colleague = portal.sign_in(CLINIC, "staff-1").get(f"/clinics/{CLINIC}/patients/{patient}").text
    assert "prefers e-mail" in colleague
    assert "called 20" in listed(portal, client)
    assert portal.events().count("note added") >= 2
    assert b"prefers e-mail" not in portal.portal.configuration.store.read_bytes()


def test_who_is_set_aside_is_off_the_list_until_the_day(portal: RunningPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    client, patient = portal.sign_in(CLINIC), waiting(portal)[-1]
    name = html.escape(portal.patients[CLINIC][patient])
    until = portal.portal.today() + timedelta(days=7)
    assert name in listed(portal, client)
    assert note(portal, client, patient, kind="set aside", until=until.isoformat()).status_code == 303
    assert name not in listed(portal, client)
    assert name in listed(portal, client, only="set-aside")
    monkeypatch.setenv("FULLSCRIPT_NOW", f"{until}T12:00:00Z")
    assert name in listed(portal, client), "on that day they are on it again"
    monkeypatch.delenv("FULLSCRIPT_NOW")
    assert note(portal, client, patient, kind="back on the list").status_code == 303
    assert name in listed(portal, client)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"kind": "x"},
        {"kind": "note", "text": " "},
        {"kind": "set aside"},
        {"kind": "set aside", "until": "2020-01-01"},
        {"kind": "set aside", "until": "tomorrow"},
        {"kind": "note", "text": "x" * 2001},
    ],
)
def test_a_form_that_says_nothing_is_not_stored(portal: RunningPortal, form: dict[str, str]) -> None:
    client, patient = portal.sign_in(CLINIC), waiting(portal)[0]
    before = portal.events().count("note added")
    assert note(portal, client, patient, **form).status_code == 422
    assert portal.events().count("note added") == before


def test_nobody_notes_anything_of_others(portal: RunningPortal) -> None:
    client, theirs = portal.sign_in(CLINIC), next(iter(portal.patients[OTHER]))
    mine = waiting(portal)[0]
    assert note(portal, client, theirs, kind="called").status_code == 404
    assert client.post(f"/clinics/{CLINIC}/patients/{mine}/notes", data={"kind": "called"}).status_code == 404
    fields = {"kind": "called", "form_key": portal.form_key(client, CLINIC)}
    assert client.post(f"/clinics/{OTHER}/patients/{theirs}/notes", data=fields).status_code == 404


def test_a_search_finds_names_and_birth_dates_and_stays_out_of_the_address(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    patient = portal.portal.clinics.of_clinic_id("us", portal.sandbox.clinics[CLINIC]["clinic_id"])
    assert patient is not None
    for row in patient.patients.values():
        first, last = row.name.split(" ", 1)
        for words in (last.upper(), f"{last} {first[:2]}", row.born or last):
            assert html.escape(row.name) in listed(portal, client, q=words, only="everybody")
    assert "0 patients" in listed(portal, client, q="nobody-of-that-name", only="everybody")
    assert 'method="post"' in client.get(f"/clinics/{CLINIC}/").text.partition('id="search"')[2][:60]
    anything = client.get(f"/clinics/{CLINIC}/", params={"q": "nobody-of-that-name", "only": "everybody"}).text
    assert f"{len(portal.patients[CLINIC])} patients" in anything, "an address is not a search"


def test_two_keys_open_and_the_newest_seals() -> None:
    sealed = Seal([WEB_KEY]).seal("text", "place")
    both = Seal(["new-key-of-the-portal", WEB_KEY])
    assert both.open(sealed, "place") == "text"
    assert not both.is_current(sealed)
