"""A real Chromium: the whole way of a clinician, and what is left after it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline_tests.helpers.axe import check_open_page
from fullscript_pipeline_tests.helpers.browser import BROWSER, DRIVER, MISSING, Browser, browser
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal

pytestmark = [
    pytest.mark.check_all,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (BROWSER and DRIVER), reason=MISSING),
]
CLINIC, SIGN_IN = "maple-street", "Sign in with Fullscript: United States"
_TYPE = (
    "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
    "field.dispatchEvent(new Event('input', {bubbles: true}))"
)


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path / "profile") as opened:
        yield opened


def sign_in(portal: RunningPortal, window: Browser, who: str = "the owner") -> None:
    """As a person does, at the first clinic of the page."""
    window.open(portal.url)
    window.click(SIGN_IN)
    window.wait_for("who authorizes it")
    window.click(f"Authorize as {who}")
    window.wait_for("whom to contact")


def test_the_way_of_a_clinician(portal: RunningPortal, window: Browser) -> None:
    sign_in(portal, window)
    patient = sorted(set(portal.plans[CLINIC].values()))[0]
    name = portal.patients[CLINIC][patient]
    window.run(_TYPE, "#search [name=only]", "everybody")
    window.run(_TYPE, "#search [name=q]", name.upper())
    assert name.lower() in window.wait_for("1 patient")
    assert "q=" not in window.address
    window.click(name, "#found a")
    window.wait_for("notes of the clinic")
    window.run("document.querySelector('[value=called]').checked = true")
    window.run(_TYPE, "#notes textarea", "will call back on Friday")
    window.click("Save")
    window.wait_for("called: will call back on friday")
    plan = window.run("return document.querySelector('a[target=_blank]').href")
    here = window.address
    window.open(plan)
    window.wait_for("fullscript (sandbox)", "opened at catalog by practitioner")
    window.open(here)
    window.click("Sign out")
    window.wait_for("sign in with your own fullscript account")
    window.run("history.back()")
    time.sleep(1.5)
    assert name.lower() not in window.text(), "the back button shows nothing"
    window.open(here)
    assert name.lower() not in window.wait_for("sign in with your own")


def test_who_denies_is_back_at_the_button(portal: RunningPortal, window: Browser) -> None:
    window.open(portal.url)
    window.click(SIGN_IN)
    window.wait_for("who authorizes it")
    window.click("Cancel")
    window.wait_for("nobody was signed in", "sign in with fullscript")


def test_an_expired_session_shows_nothing_also_to_the_script(portal: RunningPortal, window: Browser) -> None:
    sign_in(portal, window)
    try:
        portal.clock.ahead = 21 * 60
        window.run(_TYPE, "#search [name=q]", "a")
        window.wait_for("sign in with your own fullscript account")
    finally:
        portal.clock.ahead = 0


def test_another_user_sees_their_own_patients(portal: RunningPortal, window: Browser) -> None:
    """In the same browser, after the first has left without signing out."""
    sign_in(portal, window)
    sign_in_again = f"{portal.url}/signin/us-snd"
    window.open(sign_in_again)
    window.wait_for("who authorizes it")
    window.click("Authorize as practitioner 2")
    window.wait_for("whom to contact")
    window.run(_TYPE, "#search [name=only]", "everybody")
    time.sleep(1.5)
    text = window.text()
    with portal.sandbox.client(CLINIC, "practitioner-2") as api:
        rows = api.get("/clinic/patients", params={"page[size]": "100"}).json()["patients"]
    allowed = {str(row["id"]) for row in rows}
    names = {name: patient in allowed for patient, name in portal.patients[CLINIC].items()}
    assert {name: name.lower() in text for name in names} == names


def test_it_works_without_script_and_at_320_pixels(portal: RunningPortal, window: Browser) -> None:
    sign_in(portal, window)
    window.use_width(320)
    wide = "return [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 321).length"
    deadline = time.monotonic() + 10
    while window.run(wide) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert window.run(wide) == 0
    name = next(iter(portal.patients[CLINIC].values()))
    # As the form is sent by its button: a script of the page is not asked.
    window.run(
        "const form = document.getElementById('search'); form.elements.q.value = arguments[0];"
        "form.elements.only.value = 'everybody'; HTMLFormElement.prototype.submit.call(form)",
        name,
    )
    assert name.lower() in window.wait_for("1 patient")


def test_axe_finds_nothing_wrong_with_the_pages_of_the_portal(portal: RunningPortal, window: Browser) -> None:
    window.open(portal.url)
    found = {"/": check_open_page(window).violations}
    sign_in(portal, window)
    patient = sorted(set(portal.plans[CLINIC].values()))[-1]
    for theme, width in (("light", 1280), ("dark", 320)):
        window.use_theme(theme)
        window.use_width(width)
        for path in (f"/clinics/{CLINIC}/", f"/clinics/{CLINIC}/patients/{patient}", "/nothing"):
            window.open(f"{portal.url}{path}")
            found[f"{path} {theme}"] = check_open_page(window).violations
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
