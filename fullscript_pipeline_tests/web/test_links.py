"""Links into Fullscript beyond a plan's own, and the part of it that is embedded beside a patient."""

import hashlib
import re
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from fullscript_pipeline.portal_store import WAITING
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.axe import check_open_page
from fullscript_pipeline_tests.helpers.browser import BROWSER, DRIVER, MISSING, browser
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal, running_portal

CLINIC, OTHER = "maple-street", "harbor-point"
SCRIPT = "f87546657e957ef23cb9be9b0f5360d5e0b4b614ce8c703095c54c9e4e8fc24c"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPortal]:
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        running_portal(
            tmp_path_factory.mktemp("links"), monkeypatch, patients=6, clinics=2, embeds=True, web_drafts="on"
        ) as running,
    ):
        yield running


def first_plan(portal: RunningPortal) -> tuple[str, str]:
    return next(iter(portal.plans[CLINIC].items()))


def post(portal: RunningPortal, client: httpx.Client, path: str) -> httpx.Response:
    return client.post(f"/clinics/{CLINIC}/{path}", data={"form_key": portal.form_key(client, CLINIC)})


def test_a_new_plan_begins_in_fullscript(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC)
    assert f"/clinics/{CLINIC}/plans/new" in client.get(f"/clinics/{CLINIC}/").text
    answer = client.get(f"/clinics/{CLINIC}/plans/new")
    assert answer.status_code == 303
    assert "A new treatment plan" in httpx.get(answer.headers["location"], trust_env=False).text
    assert portal.events()[-1] == "new plan opened"
    assert client.get(f"/clinics/{OTHER}/plans/new").status_code == 404


def test_the_order_link_is_read_at_the_click_and_kept_nowhere(
    portal: RunningPortal, caplog: pytest.LogCaptureFixture
) -> None:
    client, (plan, patient) = portal.sign_in(CLINIC), first_plan(portal)
    assert "https://" not in client.get(f"/clinics/{CLINIC}/patients/{patient}").text
    shown = post(portal, client, f"plans/{plan}/order-link").text
    (link,) = re.findall(r'readonly value="([^"]+)"', shown)
    assert link.startswith(f"https://{CLINIC}.example/i/")
    secret = urlsplit(link).path.rsplit("/", 1)[1]
    assert secret not in str(portal.portal.audit.entries()) + caplog.text
    assert portal.portal.audit.entries()[-1]["event"] == "order link shown"
    stored = b"".join(path.read_bytes() for path in portal.portal.configuration.store.parent.glob("portal*.sqlite*"))
    assert secret.encode() not in stored
    assert client.post(f"/clinics/{CLINIC}/plans/{plan}/order-link").status_code == 404, "a form of none of our pages"
    theirs = next(iter(portal.plans[OTHER]))
    assert post(portal, client, f"plans/{theirs}/order-link").status_code == 404


def test_a_draft_says_what_it_does_and_needs_its_scope(portal: RunningPortal) -> None:
    client, (_, patient) = portal.sign_in(CLINIC), first_plan(portal)
    assert (
        "may create a patient record there and send a mail"
        in client.get(f"/clinics/{CLINIC}/patients/{patient}/draft").text
    )
    assert post(portal, client, f"patients/{patient}/draft").status_code == 403
    before = portal.sandbox.control.state()
    scopes = next(iter(portal.sandbox.apps.values()))["scopes"]
    portal.sandbox.control.change(scopes=f"{scopes} clinic:write")
    try:
        able = portal.sign_in(CLINIC)
        made = post(portal, able, f"patients/{patient}/draft")
        (link,) = re.findall(r'class="button" href="([^"]+)"', made.text)
        assert "A new treatment plan" in httpx.get(link.replace("&amp;", "&"), trust_env=False).text
        assert portal.portal.audit.entries()[-1]["event"] == "draft made"
    finally:
        portal.sandbox.control.change(scopes=scopes)
    assert before["day"]


def test_a_grant_signs_the_frame_in_once(portal: RunningPortal) -> None:
    client = portal.sign_in(CLINIC, "practitioner-2")
    assert client.post(f"/clinics/{CLINIC}/embed-grant").status_code == 404, "a form of none of our pages"
    answer = post(portal, client, "embed-grant")
    token = answer.json()["secret_token"]
    assert answer.headers["cache-control"] == "no-store"
    frame = f"{portal.sandbox.base_url}/api/embeddable/session/embed/entry?secret_token={token}"
    assert "Practitioner" in httpx.get(frame, trust_env=False).text
    assert httpx.get(frame, trust_env=False).status_code == 401, "a grant is good once"
    stored = b"".join(path.read_bytes() for path in portal.portal.configuration.store.parent.glob("portal*.sqlite*"))
    assert token.encode() not in stored and token not in str(portal.portal.audit.entries())


def test_only_the_page_of_the_panel_frames_that_server(portal: RunningPortal) -> None:
    client, (_, patient) = portal.sign_in(CLINIC), first_plan(portal)
    panel = client.get(f"/clinics/{CLINIC}/patients/{patient}/embed")
    policy = panel.headers["content-security-policy"]
    assert f"frame-src {portal.sandbox.base_url}" in policy and "unsafe" not in policy
    assert panel.headers["referrer-policy"] == "origin"
    assert "pk-of-the-portal" in panel.text and patient in panel.text
    for path in (f"/clinics/{CLINIC}/", f"/clinics/{CLINIC}/patients/{patient}"):
        other = client.get(path)
        assert "frame-src" not in other.headers["content-security-policy"]
        assert other.headers["referrer-policy"] == "no-referrer"
    theirs = next(iter(portal.patients[OTHER]))
    assert client.get(f"/clinics/{CLINIC}/patients/{theirs}/embed").status_code == 404


def test_the_vendors_script_is_the_one_that_was_checked() -> None:
    """Version 3.2.0 of @fullscript/fullscript-js; npm's integrity of the package was compared when it was added."""
    folder = resources.files("fullscript_pipeline.web").joinpath("static")
    script = folder.joinpath("fullscript-js-3.2.0.umd.min.js").read_bytes()
    assert hashlib.sha256(script).hexdigest() == SCRIPT
    assert "MIT License" in folder.joinpath("fullscript-js.LICENSE.txt").read_text()


def test_nothing_is_embedded_or_drafted_unless_the_operator_says_so(
    portal: RunningPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = portal.portal.configuration
    client, (_, patient) = portal.sign_in(CLINIC), first_plan(portal)
    assert f"patients/{patient}/embed" in client.get(f"/clinics/{CLINIC}/patients/{patient}").text
    before = configuration.servers
    plain = {name: load_settings().server("us") if name == "us-snd" else server for name, server in before.items()}
    object.__setattr__(configuration, "servers", plain)
    object.__setattr__(configuration, "makes_drafts", False)
    try:
        assert "embed" not in client.get(f"/clinics/{CLINIC}/patients/{patient}").text
        for path in ("embed", "draft"):
            assert client.get(f"/clinics/{CLINIC}/patients/{patient}/{path}").status_code == 404
    finally:
        object.__setattr__(configuration, "servers", before)
        object.__setattr__(configuration, "makes_drafts", True)
    for wrong in ("https://a.example/path", "https://a.example; script-src *", "http://a.example", "a"):
        monkeypatch.setenv("FULLSCRIPT_US_EMBED_URL", wrong)
        with pytest.raises(Exception, match="FULLSCRIPT_US_EMBED_URL"):
            load_settings()


@pytest.mark.check_all
@pytest.mark.timeout(300)
@pytest.mark.skipif(not (BROWSER and DRIVER), reason=MISSING)
def test_a_real_browser_embeds_fullscript_and_reads_what_changed(portal: RunningPortal, tmp_path: Path) -> None:
    """With the vendor's own script, under the page's policy; the events start a reading of the patient."""
    _, patient = first_plan(portal)
    with browser(tmp_path / "profile") as window:
        window.open(portal.url)
        window.click("Sign in with Fullscript: United States")
        window.wait_for("who authorizes it")
        window.click("Authorize as the owner")
        window.wait_for("whom to contact")
        window.open(f"{portal.url}/clinics/{CLINIC}/patients/{patient}/embed")
        window.wait_for("open fullscript here")
        assert check_open_page(window).violations == []
        window.click("Open Fullscript here")
        deadline = time.monotonic() + 20
        while (
            not window.run("return document.querySelectorAll('#embed iframe').length") and time.monotonic() < deadline
        ):
            time.sleep(0.2)
        window.use_frame(0)
        assert f"patient {patient}" in window.wait_for("fullscript (sandbox), embedded", "practitioner")
        window.click("Activate a plan")
        window.use_frame(None)
        window.wait_for("this patient is being read again")
        window.use_width(600)
        window.wait_for("narrower than 768 pixels")
    server, clinic_id = (portal.sandbox.clinics[CLINIC][name] for name in ("server", "clinic_id"))
    asked = portal.portal.requests.latest(server, clinic_id, patient)
    assert asked is not None and asked.state == WAITING
