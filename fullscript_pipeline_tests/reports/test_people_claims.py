"""What pages say of people and labs, read back and held against the tables: contact, guardians, reminders, labs.

Also, in a browser: no word of any kind of page is broken over two lines, at any width. What does not belong here:
supply (test_page_claims.py).
"""

import html
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.reports.clinic_pages.next_steps import LAB_STATES_TO_ACT_ON
from fullscript_pipeline.reports.language import ENGLISH, page_language
from fullscript_pipeline_tests.helpers.browser import BROWSER, DRIVER, MISSING, browser

pytestmark = pytest.mark.check_all

# The words of the pages for the states of the vendor's API, written down a second time.
LAB_WORDS = {
    "interpretation_ready": "Results ready, interpretation not shared yet",
    "results_amended": "Results amended",
    "results_ready": "Results ready",
    "partial_results": "Some results ready",
    "not_purchased": "Recommended, not bought",
    "schedule_appointment": "Bought, appointment to be made",
    "upcoming_appointment": "Appointment made",
    "purchased": "Bought, waiting",
    "processing": "Sample at the laboratory",
    "interpretation_shared": "Interpretation shared",
}
_BROKEN_WORDS = r"""
const broken = new Set(), range = document.createRange();
const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (nodes.nextNode()) {
  const text = nodes.currentNode;
  if (!text.parentElement.offsetParent) continue;
  for (const word of text.data.matchAll(/\p{L}+/gu)) {
    range.setStart(text, word.index); range.setEnd(text, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) broken.add(word[0]);
  }
}
return [...broken];
"""


def _pages(world: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each patient who has a page, and its HTML."""
    for person in world["people"]:
        path = world["stores"]["en"].path_for_patient(world["key"], person["patient_id"])
        if path.exists():
            yield person, path.read_text(encoding="utf-8")


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def _addresses(person: dict[str, Any] | None) -> str:
    return ", ".join(filter(None, (person["mobile_number"], person["email"]))) if person else ""


def test_contact_guardian_and_reminders_are_those_of_the_tables(world: dict[str, Any]) -> None:
    """Exactly these sentences, of exactly these people; with the record number and the day of birth."""
    people = {person["patient_id"]: person for person in world["people"]}
    guardians = 0
    for person, page in _pages(world):
        guardian = people.get(person["guardian_patient_id"])
        said = []
        if own := _addresses(person):
            said.append(f"Contact: {own}.")
        if guardian:
            name = f"{guardian['first_name']} {guardian['last_name']}"
            reach = _addresses(guardian) or "no e-mail address or mobile number in Fullscript"
            said.append(f"Guardian: {name}, {reach}.")
            guardians += 1
        elif not own:
            said.append("Contact: no e-mail address or mobile number in Fullscript.")
        reminders = (guardian or person)["text_message_notification"]
        if reminders is not None:
            said.append(f"Text reminders are {'on' if reminders else 'off'}.")
        (header,) = re.findall(r"<header>(.*?)</header>", page, re.S)
        about, contact, *_ = [_plain(part) for part in re.findall(r"<p>(.*?)</p>", header, re.S)]
        assert contact == " ".join(said)
        born = person["date_of_birth"]
        assert (f"Born {ENGLISH.day(born)}." in about) == (born is not None) == ("Born" in about)
        number = f"Patient number in your record system: {person['external_id']}."
        assert (number in about) == bool(person["external_id"])
    assert guardians > 0


def _labs_of(world: dict[str, Any], patient_id: str) -> list[str]:
    """The lines that the tables make, in any order."""
    zone = world["zone"]
    first: date = min(lab["valid_from"] for lab in world["labs"]).astimezone(zone).date()
    lines = []
    for lab in world["labs"]:
        if lab["patient_id"] == patient_id:
            since: date = lab["valid_from"].astimezone(zone).date()
            known = "known since the first pull," if since == first else "since"
            words = LAB_WORDS[lab["state"]]
            lines.append(f"{lab['name']}: {words}, {known} {ENGLISH.day(since)}")
    for panel in world["panels"]:
        if panel["patient_id"] == patient_id and panel["state"] == "active" and not panel["is_ordered"]:
            since = panel["available_at"].date()
            lines.append(f"{panel['name']}: Panel of an active plan, not ordered, since {ENGLISH.day(since)}")
    return lines


def test_the_labs_of_a_page_are_those_of_the_tables(world: dict[str, Any]) -> None:
    seen = 0
    for person, page in _pages(world):
        block = re.search(r"<h2>Labs</h2>\n(.*?)<h2>", page, re.S)
        assert block is not None
        shown = [_plain(item) for item in re.findall(r"<li>(.*?)</li>", block[1])]
        expected = _labs_of(world, person["patient_id"])
        assert sorted(shown) == sorted(expected)
        assert ("No lab orders or recommended panels seen" in block[1]) == (not expected)
        seen += len(shown)
    assert seen > 2


def test_the_clinic_page_lists_every_lab_to_act_on_and_no_other(world: dict[str, Any]) -> None:
    archived = {person["patient_id"]: person["archived"] for person in world["people"]}
    wanted = [
        lab["name"]
        for lab in [*world["labs"], *_unordered(world)]
        if lab["state"] in LAB_STATES_TO_ACT_ON and archived.get(lab["patient_id"]) is False
    ]
    page = world["stores"]["en"].path_for_clinic(world["key"]).read_text(encoding="utf-8")
    (section,) = re.findall(r'<h2 id="labs">(.*?)</table>', page, re.S)
    shown = [html.unescape(name) for name in re.findall(r'</th><td role="cell">([^<]*)</td>', section)]
    assert sorted(shown) == sorted(wanted)
    assert len(shown) > 1


def _unordered(world: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**panel, "state": "recommended"}
        for panel in world["panels"]
        if panel["state"] == "active" and not panel["is_ordered"]
    ]


@pytest.mark.skipif(BROWSER is None or DRIVER is None, reason=MISSING)
@pytest.mark.timeout(600)
def test_no_word_is_broken_over_two_lines_at_any_width(world: dict[str, Any], tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as window:
        for code, store in world["stores"].items():
            folder = store.path_for_clinic(world["key"]).parent
            patients = sorted(folder.glob("patients/*.html"), key=lambda path: path.stat().st_size)
            pages = [store.path_for_index(), *folder.glob("*.html"), *folder.glob("practitioners/*.html"), patients[-1]]
            for page in pages:
                for width in (320, 640, 768, 1280):
                    window.use_width(width)
                    window.open(page.as_uri())
                    where = (page_language(code).tag, page.name, width)
                    assert (where, window.run(_BROKEN_WORDS)) == (where, [])
                    assert window.run("return document.documentElement.scrollWidth") <= width, where
