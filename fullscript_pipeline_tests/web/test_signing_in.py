"""Signing in with Fullscript and out: the state, the cookie, the end of a session, what is revoked."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select

from fullscript_pipeline.cli.demo import sign_in_links
from fullscript_pipeline.web.confirmation import CHECK_SECONDS, UNCONFIRMED_SECONDS
from fullscript_pipeline.web.schema import sessions
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal

CLINIC, OTHER = "maple-street", "harbor-point"


@pytest.fixture(autouse=True)
def _clock_is_right_again(portal: RunningPortal) -> None:
    portal.clock.ahead = 0.0
    portal.sandbox.control.disarm()


def home(portal: RunningPortal, client: httpx.Client, slug: str = CLINIC) -> httpx.Response:
    return client.get(f"/clinics/{portal.keys[slug]}/")


def test_who_signs_in_sees_their_clinic(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    page = home(portal, client)
    assert page.status_code == 200
    assert all(name in page.text for name in list(portal.patients[CLINIC].values())[:1] if portal.plans[CLINIC])
    cookie = next(iter(client.cookies.jar))
    assert (cookie.has_nonstandard_attr("HttpOnly"), cookie.get_nonstandard_attr("SameSite")) == (True, "lax")
    assert "signed in" in portal.events()
    assert client.get("/").headers["location"] == f"/clinics/{portal.keys[CLINIC]}/"


def test_a_link_of_the_demo_signs_in_once_with_one_click(portal: RunningPortal) -> None:
    """What `demo` and `ui` print. The second sign-in of the browser chooses somebody at Fullscript again."""
    links = sign_in_links(portal.sandbox.control)
    assert len(links) == len(portal.sandbox.clinics)
    (link,) = [link for link in links if link.endswith(f"login={CLINIC}")]
    with httpx.Client(trust_env=False, timeout=30, follow_redirects=True) as browser:
        assert str(browser.get(link).url) == f"{portal.url}/clinics/{portal.keys[CLINIC]}/"
        browser.post(f"{portal.url}/signout", data={"form_key": portal.form_key(browser, CLINIC)})
        server = portal.sandbox.clinics[CLINIC]["server"]
        assert "Who authorizes it?" in browser.get(f"{portal.url}/signin/{server}").text
        assert browser.get(link.replace(CLINIC, "nobody")).status_code == 404


def test_nobody_else_sees_anything(portal: RunningPortal) -> None:
    patient = next(iter(portal.patients[CLINIC]))
    for path in ("/clinics/maple-street/", f"/clinics/maple-street/patients/{patient}", "/catalog/us/index.html"):
        answer = portal.browser().get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert portal.browser().get(path, headers={"Sec-Fetch-Mode": "cors"}).status_code == 401


def test_a_sign_in_belongs_to_one_browser_and_counts_once(portal: RunningPortal) -> None:
    mine, theirs = portal.browser(), portal.browser()
    back = portal.begin(mine, CLINIC).headers["location"]
    portal.begin(theirs, CLINIC)
    for stranger in (portal.browser(), theirs):
        assert stranger.get(back).status_code == 400
    assert mine.get(back).status_code == 303
    assert mine.get(back).status_code == 400, "a state counts once"
    assert "sign-in refused" in portal.events()


def test_a_sign_in_is_good_for_ten_minutes(portal: RunningPortal) -> None:
    client = portal.browser()
    back = portal.begin(client, CLINIC).headers["location"]
    portal.clock.ahead = 601
    assert client.get(back).status_code == 400


def test_a_forged_or_doubled_state_is_refused(portal: RunningPortal) -> None:
    client = portal.browser()
    back = portal.begin(client, CLINIC).headers["location"]
    query = parse_qs(urlsplit(back).query)
    for forged in (f"code={query['code'][0]}", f"code={query['code'][0]}&state=x", f"{urlsplit(back).query}&state=x"):
        assert client.get(f"/callback?{forged}").status_code == 400
    assert client.get(back).status_code == 303


def test_who_denies_is_told_so(portal: RunningPortal) -> None:
    client = portal.browser()
    answer = client.get(portal.begin(client, CLINIC, deny="1").headers["location"])
    assert answer.status_code == 403
    assert "nobody was signed in" in answer.text
    assert home(portal, client).status_code == 303


def test_a_code_that_fullscript_does_not_take_signs_nobody_in(portal: RunningPortal) -> None:
    client = portal.browser()
    back = portal.begin(client, CLINIC).headers["location"]
    state = parse_qs(urlsplit(back).query)["state"][0]
    assert client.get(f"/callback?code=wrong&state={state}").status_code == 400
    assert home(portal, client).status_code == 303


def test_a_new_sign_in_has_a_new_id_and_ends_the_former_one(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    former = dict(client.cookies)
    client.get(portal.begin(client, CLINIC).headers["location"])
    assert dict(client.cookies) != former
    assert home(portal, client).status_code == 200
    stolen = portal.browser()
    stolen.cookies.update(former)
    assert home(portal, stolen).status_code == 303


def test_a_session_id_of_ones_own_choice_is_none(portal: RunningPortal) -> None:
    client = portal.browser()
    client.cookies.set(next(iter(portal.sign_in(CLINIC).cookies)), "fixed")
    assert home(portal, client).status_code == 303


def test_signing_out_ends_the_session_and_revokes_the_token(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    former, key = dict(client.cookies), portal.form_key(client, CLINIC)
    access = next(iter(_access_tokens(portal)))
    assert client.post("/signout").status_code == 404, "a form without its key is none of ours"
    assert client.post("/signout", data={"form_key": key}).headers["location"] == "/"
    client.cookies.update(former)
    assert home(portal, client).status_code == 303
    assert portal.portal.sessions.to_revoke() == []
    assert _is_refused(portal, access)


def test_a_token_that_cannot_be_revoked_now_is_revoked_later(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    access = next(iter(_access_tokens(portal)))
    key = portal.form_key(client, CLINIC)
    portal.sandbox.control.arm("http_500", endpoint="/oauth/revoke", count=None)
    client.post("/signout", data={"form_key": key})
    assert home(portal, client).status_code == 303
    assert len(portal.portal.sessions.to_revoke()) == 1
    portal.sandbox.control.disarm()
    assert portal.portal.revoke_closed() == 0
    assert _is_refused(portal, access)


def test_signing_out_everywhere_ends_every_session_of_this_user_only(portal: RunningPortal) -> None:
    here, there, other = portal.sign_in(CLINIC), portal.sign_in(CLINIC), portal.sign_in(CLINIC, "practitioner-2")
    here.post("/signout-everywhere", data={"form_key": portal.form_key(here, CLINIC)})
    assert [home(portal, client).status_code for client in (here, there, other)] == [303, 303, 200]


@pytest.mark.parametrize(("steps", "is_open"), [((1100, 2200, 3300), True), ((1201,), False)])
def test_an_idle_session_ends_after_twenty_minutes(
    portal: RunningPortal, steps: tuple[int, ...], is_open: bool
) -> None:
    client = portal.sign_in(CLINIC)
    for ahead in steps:
        portal.clock.ahead = ahead
        answer = home(portal, client)
    assert (answer.status_code == 200) == is_open


def test_a_session_ends_after_twelve_hours_however_busy(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    for ahead in range(1190, 12 * 3600, 1190):
        portal.clock.ahead = ahead
        assert home(portal, client).status_code == 200, ahead
    portal.clock.ahead = 12 * 3600 + 1
    assert home(portal, client).status_code == 303


def test_who_is_removed_at_fullscript_is_out_with_the_next_check(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    portal.sandbox.control.revoke(CLINIC)
    portal.clock.ahead = CHECK_SECONDS + 1
    assert home(portal, client).status_code == 303
    assert portal.portal.audit.entries()[-1]["why"] == "Fullscript does not confirm the user"


def test_who_cannot_be_confirmed_for_fifteen_minutes_is_out(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    portal.sandbox.control.arm("http_500", endpoint="/clinic", count=None)
    portal.clock.ahead = CHECK_SECONDS + 1
    assert home(portal, client).status_code == 200
    portal.clock.ahead = UNCONFIRMED_SECONDS + 1
    assert home(portal, client).status_code == 303


def test_an_access_token_that_ended_is_renewed(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    portal.sandbox.control.expire_tokens()
    portal.clock.ahead = CHECK_SECONDS + 1
    assert home(portal, client).status_code == 200


def _access_tokens(portal: RunningPortal) -> list[str]:
    """The access tokens of the open sessions, the newest first."""
    with portal.portal.database.read() as connection:
        keys = connection.execute(select(sessions.c.session_hash).order_by(sessions.c.opened_s.desc())).scalars().all()
    return [pair.access for key in keys if (pair := portal.portal.sessions.tokens(key))]


def _is_refused(portal: RunningPortal, access: str) -> bool:
    headers = {"Authorization": f"Bearer {access}"}
    return httpx.get(f"{portal.sandbox.api_url(CLINIC)}/clinic", headers=headers, trust_env=False).status_code == 401
