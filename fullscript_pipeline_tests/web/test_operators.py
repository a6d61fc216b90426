"""Operators sign in at a real OpenID provider: catalog, coverage and health; patients only with a role for it."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.web import configure
from fullscript_pipeline.web.confirmation import CHECK_SECONDS, UNCONFIRMED_SECONDS
from fullscript_pipeline_tests.helpers.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OPERATOR,
    PATIENTS,
    RunningProvider,
)
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal, running_portal, write_operators_file

CLINIC = "maple-street"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningPortal, RunningProvider]]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        running_portal(
            tmp_path_factory.mktemp("portal"), monkeypatch, patients=9, clinics=2, has_operators=True
        ) as running,
    ):
        write_operators_file(running, clinics=["maple-street", "harbor-point"])
        assert running.provider is not None
        yield running, running.provider


@pytest.fixture
def portal(both: tuple[RunningPortal, RunningProvider]) -> RunningPortal:
    both[0].clock.ahead = 0.0
    both[1].reset()
    return both[0]


@pytest.fixture
def provider(both: tuple[RunningPortal, RunningProvider]) -> RunningProvider:
    return both[1]


def begin(client: httpx.Client, login: str) -> str:
    """From the button to what the provider sends back: the address of the callback."""
    there = client.get("/operators/signin").headers["location"]
    return httpx.get(f"{there}&{urlencode({'login': login})}", trust_env=False).headers["location"]


def sign_in(portal: RunningPortal, login: str) -> httpx.Client:
    client = portal.browser()
    assert client.get(begin(client, login)).headers["location"] == "/operators/"
    return client


def refused(portal: RunningPortal, login: str = "olive") -> tuple[int, object]:
    """The status of a sign-in, and why it was refused; nobody is signed in."""
    client = portal.browser()
    answer = client.get(begin(client, login))
    assert client.get("/operators/").status_code == 303
    entry = portal.portal.audit.entries()[-1]
    assert entry["event"] == "sign-in refused"
    return answer.status_code, entry["why"]


def test_an_operator_sees_coverage_and_health(portal: RunningPortal) -> None:
    client = sign_in(portal, "olive")
    page = client.get("/operators/").text
    assert "Olive Operator" in page and "maple-street" in page and "is 3 days old" in page
    assert client.get("/").headers["location"] == "/operators/"
    assert "/clinics/" not in page, "no way to a patient"
    entries = [entry["event"] for entry in portal.portal.audit.entries()[-2:]]
    assert entries == ["signed in", "overview shown"]
    french = client.get("/operators/", headers={"Accept-Language": "fr"}).text
    assert "Couverture et santé" in french and '<html lang="fr">' in french


def test_the_request_to_the_provider_is_bound_to_this_sign_in(portal: RunningPortal) -> None:
    client = portal.browser()
    sent = parse_qs(urlsplit(client.get("/operators/signin").headers["location"]).query)
    again = parse_qs(urlsplit(client.get("/operators/signin").headers["location"]).query)
    assert sent["code_challenge_method"] == ["S256"] and sent["response_type"] == ["code"]
    assert sent["redirect_uri"] == [f"{portal.url}/operators/callback"]
    for name in ("state", "nonce", "code_challenge"):
        assert sent[name] != again[name]


def test_an_operator_sees_the_catalog(portal: RunningPortal) -> None:
    folder = portal.reports / "catalog" / "us"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text("<html><head></head><body>\nDigest of brands</body></html>")
    client = sign_in(portal, "olive")
    page = client.get("/catalog/us/index.html")
    assert page.status_code == 200 and "Digest of brands" in page.text and "Olive Operator" in page.text
    assert client.get("/index.html").headers["location"] == "/operators/"
    assert client.get("/catalog/us/..%2F..%2Foperators.json").status_code == 404


def test_an_operator_without_the_role_sees_no_patient(portal: RunningPortal) -> None:
    client, before = sign_in(portal, "olive"), len(portal.portal.audit.entries())
    patients = [(slug, patient) for slug in portal.patients for patient in portal.patients[slug]][:6]
    paths = [f"/clinics/{slug}/patients/{patient}" for slug, patient in patients]
    paths += [f"/clinics/{slug}/patients/{patient}.html" for slug, patient in patients[:3]]
    paths += [f"/clinics/{slug}/{path}" for slug in portal.patients for path in ("", "index.html", "portal.json")]
    paths += [f"/clinics/{CLINIC}/patients/{patients[0][1]}/{what}" for what in ("read", "draft", "embed")]
    paths += [f"/clinics/{CLINIC}/plans/{next(iter(portal.plans[CLINIC]))}/open", "/connect", "/connect/begin"]
    assert len(paths) >= 20
    names = [name for people in portal.patients.values() for name in people.values()]
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert not [name for name in names if name in answer.text], path
    entries = portal.portal.audit.entries()[before:]
    assert [(entry["event"], entry["user"], entry["type"]) for entry in entries] == [
        ("refused", "olive", "Operator")
    ] * len(paths)


def test_an_operator_with_the_role_sees_patients_and_it_is_recorded(portal: RunningPortal) -> None:
    client, (patient, name) = sign_in(portal, "petra"), next(iter(portal.patients[CLINIC].items()))
    assert f"/clinics/{CLINIC}/" in client.get("/operators/").text
    assert name in client.get(f"/clinics/{CLINIC}/", params={"only": "everybody"}).text
    page = client.get(f"/clinics/{CLINIC}/patients/{patient}").text
    assert name in page and "Petra Patients" in page
    assert "notes-title" not in page and "Read again now" not in page and "Open this plan" not in page
    entry = portal.portal.audit.entries()[-1]
    assert (entry["event"], entry["user"], entry["type"], entry["clinic"]) == (
        "patient shown", "petra", "Operator", CLINIC,
    )  # fmt: skip
    clinician = portal.sign_in(CLINIC)
    clinician.get(f"/clinics/{CLINIC}/patients/{patient}")
    assert portal.portal.audit.entries()[-1]["patient"] == entry["patient"], "who saw this patient is one question"


def test_an_operator_changes_nothing_of_a_clinic(portal: RunningPortal) -> None:
    client, patient = sign_in(portal, "petra"), next(iter(portal.patients[CLINIC]))
    key = client.get("/operators/").text.partition('name="form_key" value="')[2].partition('"')[0]
    for path in (f"patients/{patient}/notes", f"patients/{patient}/read", "embed-grant"):
        answer = client.post(f"/clinics/{CLINIC}/{path}", data={"form_key": key, "kind": "note", "text": "x"})
        assert answer.status_code == 404, path
    found = client.post(f"/clinics/{CLINIC}/", data={"form_key": key, "only": "everybody"})
    assert found.status_code == 200, "searching only shows"


def test_a_clinician_is_no_operator(portal: RunningPortal) -> None:
    assert portal.sign_in(CLINIC).get("/operators/").status_code == 404
    assert portal.portal.audit.entries()[-1]["what"] == "operators"


@pytest.mark.parametrize("login", ["clerk", "norole"])
def test_who_has_no_role_of_ours_is_told_so(portal: RunningPortal, login: str) -> None:
    assert refused(portal, login) == (403, "role")


@pytest.mark.parametrize(
    "lie",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": ["another-client"]},
        {"aud": [CLIENT_ID, "another-client"]},
        {"nonce": "of-another-sign-in"},
        {"nonce": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"sub": None},
        {"azp": "another-client"},
        {"at_hash": "of-another-token"},
    ],
    ids=lambda lie: "-".join(f"{name}" for name in lie),
)
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    portal: RunningPortal, provider: RunningProvider, lie: dict[str, object]
) -> None:
    provider.control(lies=lie)
    assert refused(portal) == (400, "token")


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_without_a_signature_of_the_provider_is_refused(
    portal: RunningPortal, provider: RunningProvider, algorithm: str
) -> None:
    provider.control(algorithm=algorithm)
    assert refused(portal) == (400, "token")


def test_a_new_key_of_the_provider_is_found(portal: RunningPortal, provider: RunningProvider) -> None:
    sign_in(portal, "olive")
    provider.control(new_key=True)
    portal.clock.ahead = 11
    sign_in(portal, "olive")


def test_a_code_counts_once_and_in_the_browser_that_began(portal: RunningPortal) -> None:
    client, stranger = portal.browser(), portal.browser()
    back = begin(client, "olive")
    stranger.get("/operators/signin")
    assert stranger.get(back).status_code == 400
    assert client.get(back).status_code == 303
    assert client.get(back).status_code == 400, "the state counts once"
    # The same code with a state of another sign-in: the provider has forgotten the code.
    code, fresh = parse_qs(urlsplit(back).query)["code"][0], begin(client, "olive")
    state = parse_qs(urlsplit(fresh).query)["state"][0]
    assert client.get(f"/operators/callback?{urlencode({'code': code, 'state': state})}").status_code == 400


def test_a_code_of_another_sign_in_is_refused(portal: RunningPortal) -> None:
    """PKCE: an attacker's code in a victim's sign-in."""
    victim, attacker = portal.browser(), portal.browser()
    code = parse_qs(urlsplit(begin(attacker, "petra")).query)["code"][0]
    state = parse_qs(urlsplit(begin(victim, "olive")).query)["state"][0]
    assert victim.get(f"/operators/callback?{urlencode({'code': code, 'state': state})}").status_code == 400
    assert victim.get("/operators/").status_code == 303


def test_a_state_of_the_one_way_in_is_none_of_the_other(portal: RunningPortal) -> None:
    client = portal.browser()
    back = begin(client, "olive")
    assert client.get(back.replace("/operators/callback", "/callback")).status_code == 400
    theirs = portal.begin(client, CLINIC).headers["location"]
    assert client.get(theirs.replace("/callback", "/operators/callback")).status_code == 400


def test_who_denies_and_an_answer_of_another_issuer_sign_nobody_in(portal: RunningPortal) -> None:
    assert refused(portal, "")[0] == 403
    client = portal.browser()
    back = begin(client, "olive")
    assert client.get(f"{back}&iss=https%3A%2F%2Felsewhere.example").status_code == 400


def test_roles_may_be_in_userinfo_only(portal: RunningPortal, provider: RunningProvider) -> None:
    provider.control(roles_in_token=False)
    assert sign_in(portal, "petra").get(f"/clinics/{CLINIC}/").status_code == 200


def test_signing_out_ends_the_session_and_revokes_the_token(portal: RunningPortal, provider: RunningProvider) -> None:
    client = sign_in(portal, "olive")
    former = dict(client.cookies)
    key = client.get("/operators/").text.partition('name="form_key" value="')[2].partition('"')[0]
    assert client.post("/signout", data={"form_key": key}).headers["location"] == "/"
    client.cookies.update(former)
    assert client.get("/operators/").status_code == 303
    assert provider.control()["revoked"][-1:] == ["olive"]
    assert portal.portal.sessions.to_revoke() == []


@pytest.mark.parametrize("ahead", [20 * 60 + 1, pytest.param(12 * 3600 + 1, marks=pytest.mark.check_all)])
def test_sessions_of_operators_end_like_those_of_clinicians(portal: RunningPortal, ahead: int) -> None:
    client = sign_in(portal, "olive")
    for step in range(1190, ahead, 1190) if ahead > 7200 else ():
        portal.clock.ahead = step
        assert client.get("/operators/").status_code == 200
    portal.clock.ahead = ahead
    assert client.get("/operators/").status_code == 303


def test_a_new_sign_in_has_a_new_id(portal: RunningPortal) -> None:
    client = sign_in(portal, "olive")
    former = dict(client.cookies)
    client.get(begin(client, "petra"))
    assert dict(client.cookies) != former
    stolen = portal.browser()
    stolen.cookies.update(former)
    assert stolen.get("/operators/").status_code == 303


def test_a_role_that_was_taken_counts_with_the_next_check(portal: RunningPortal, provider: RunningProvider) -> None:
    client = sign_in(portal, "petra")
    provider.control(users={"petra": {"name": "Petra Patients", "roles": [OPERATOR]}})
    portal.clock.ahead = CHECK_SECONDS + 1
    assert client.get(f"/clinics/{CLINIC}/").status_code == 404
    assert client.get("/operators/").status_code == 200
    provider.control(users={"petra": {"name": "Petra Patients", "roles": [PATIENTS]}})
    portal.clock.ahead = 2 * CHECK_SECONDS + 2
    assert client.get("/operators/").status_code == 303
    assert portal.portal.audit.entries()[-1]["why"] == "the provider does not confirm the user"


def test_who_was_removed_at_the_provider_is_out_with_the_next_check(
    portal: RunningPortal, provider: RunningProvider
) -> None:
    client = sign_in(portal, "olive")
    provider.control(removed=["olive"])
    portal.clock.ahead = CHECK_SECONDS + 1
    assert client.get("/operators/").status_code == 303


def test_isolation_of_the_two_doors(portal: RunningPortal) -> None:
    """An operator's subject that equals a clinician's id is another user."""
    clinician = portal.sign_in(CLINIC)
    user = next(entry["user"] for entry in reversed(portal.portal.audit.entries()) if entry["event"] == "signed in")
    assert portal.provider is not None
    portal.provider.control(users={str(user): {"name": "Same Id", "roles": [OPERATOR]}})
    operator = sign_in(portal, str(user))
    key = operator.get("/operators/").text.partition('name="form_key" value="')[2].partition('"')[0]
    operator.post("/signout-everywhere", data={"form_key": key})
    assert clinician.get(f"/clinics/{CLINIC}/").status_code == 200


def test_what_is_missing_is_named(portal: RunningPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FULLSCRIPT_WEB_OIDC_CLIENT_SECRET")
    with pytest.raises(ConfigurationError, match="operators/callback"):
        configure(load_settings())
    monkeypatch.setenv("FULLSCRIPT_WEB_OIDC_ISSUER", "http://provider.example")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_WEB_OIDC_ISSUER must start with https"):
        load_settings()
    monkeypatch.setenv("FULLSCRIPT_WEB_OIDC_ISSUER", "https://provider.example/")
    monkeypatch.setenv("FULLSCRIPT_WEB_OIDC_CLIENT_SECRET", CLIENT_SECRET)
    assert CLIENT_SECRET not in repr(configure(load_settings()))


def test_a_provider_that_is_down_is_said_and_ends_sessions_after_fifteen_minutes(
    portal: RunningPortal, provider: RunningProvider
) -> None:
    """The last test: it ends the provider."""
    client, late = sign_in(portal, "olive"), portal.browser()
    back = begin(late, "olive")
    provider.process.kill()
    provider.process.wait(10)
    answer = late.get(back)
    assert (answer.status_code, "does not answer" in answer.text) == (502, True)
    portal.clock.ahead = CHECK_SECONDS + 1
    assert client.get("/operators/").status_code == 200, "a short outage signs nobody out"
    portal.clock.ahead = UNCONFIRMED_SECONDS + 1
    assert client.get("/operators/").status_code == 303
    portal.clock.ahead = 24 * 3600
    answer = portal.browser().get("/operators/signin")
    assert (answer.status_code, "does not answer" in answer.text) == (502, True)
    assert portal.portal.audit.entries()[-1]["why"] == "provider down"
    assert portal.browser().get("/").status_code == 200
