"""A real Chromium: an operator signs in at a real provider; both languages, without script, narrow, axe."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline_tests.helpers.axe import check_open_page
from fullscript_pipeline_tests.helpers.browser import BROWSER, DRIVER, MISSING, browser
from fullscript_pipeline_tests.helpers.running_portal import RunningPortal, running_portal, write_operators_file

pytestmark = [
    pytest.mark.check_all,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not (BROWSER and DRIVER), reason=MISSING),
]
_WIDE = "return [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 321).length"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPortal]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("operators")
        with running_portal(folder, monkeypatch, patients=5, clinics=1, has_operators=True) as running:
            write_operators_file(running, clinics=["maple-street"])
            yield running


def test_the_way_of_an_operator(portal: RunningPortal, tmp_path: Path) -> None:
    """By links and buttons only: nothing on these pages runs a script."""
    found = {}
    with browser(tmp_path / "profile") as window:
        window.open(portal.url)
        window.click("sign in as an operator")
        window.wait_for("sign in as petra")
        window.click("Sign in as petra")
        window.wait_for("coverage and health", "petra patients", "is 3 days old")
        assert window.run("return document.scripts.length") == 0
        for code, words in (("en", "needs"), ("fr", "santé")):
            window.open(f"{portal.url}/language/{code}")
            text = window.wait_for("petra patients")
            assert words in text or code == "en"
            for theme, width in (("light", 1280), ("dark", 320)):
                window.use_theme(theme)
                window.use_width(width)
                window.open(f"{portal.url}/operators/")
                found[f"{code} {theme}"] = check_open_page(window).violations
                assert width > 320 or window.run(_WIDE) == 0
                if folder := os.environ.get("PICTURES"):
                    window.picture(Path(folder) / f"operators-{code}-{width}.png")
        window.click("maple-street")
        window.wait_for("petra patients", "qui contacter")
        window.open(f"{portal.url}/operators/")
        window.click("Se déconnecter")
        window.wait_for("connectez-vous avec votre propre compte")
    assert {page: wrong for page, wrong in found.items() if wrong} == {}
