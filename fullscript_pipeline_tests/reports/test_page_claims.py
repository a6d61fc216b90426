"""Every page of a sandbox's world, read back: each claim is what the tables say, no two of them contradict each other,
and the French page says the same numbers without an English word.
"""

import html
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.reports.language import ENGLISH, page_language
from fullscript_pipeline.reports.status_texts import VERDICTS, verdict
from fullscript_pipeline.reports.thresholds import ReportPolicy
from fullscript_pipeline_tests.helpers.html import Page, read
from fullscript_pipeline_tests.helpers.page_world import POLICY

pytestmark = pytest.mark.check_all

# Words that only English has; data (products, names, dosage texts) is taken out before they are looked for.
_ENGLISH = re.compile(
    r"\b(the|and|of|not|with|was|were|this|that|day|days|order|orders|ordered|pack|packs|plan of|since|until|late|"
    r"covered|window|gap|last|ask|supply|born|practitioner|product|dose used|per day|at least|soon|needed)\b",
    re.I,
)


def _patients(world: dict[str, Any]) -> Iterator[tuple[list[dict[str, Any]], Path, Path]]:
    """The rows of each patient who has a page, and the two pages."""
    by_patient: dict[str, list[dict[str, Any]]] = {}
    for row in world["rows"]:
        by_patient.setdefault(row["patient_id"], []).append(row)
    for patient_id, rows in by_patient.items():
        english, french = (world["stores"][code].path_for_patient(world["key"], patient_id) for code in ("en", "fr"))
        if english.exists():
            yield rows, english, french


def _verdict_key(row: dict[str, Any]) -> str:
    status = row["status"]
    if status == "not_measurable" and row["window_end"] <= row["as_of"]:
        status = "ended_unmeasured"
    return verdict(status, row["days_late"], row["due_in_days"], ReportPolicy.of(POLICY)).key


def test_the_headline_counts_products_with_the_verdicts_of_the_table(world: dict[str, Any]) -> None:
    seen = 0
    for rows, path, _ in _patients(world):
        current = [row for row in rows if row["is_current"] is not False]
        page = path.read_text(encoding="utf-8")
        assert page.count('<th scope="row"') == len({row["product_id"] for row in rows})
        shown = re.findall(r'<b class="(\w+)">', page)
        assert sorted(shown) == sorted(_verdict_key(row) for row in current), path.name
        seen += len(shown)
    assert seen > 30


def test_the_headline_and_the_list_of_everybody_say_what_the_table_says(world: dict[str, Any]) -> None:
    """The headline counts every product once; A to Z shows the first row's verdict, and how many other products."""
    store = world["stores"]["en"]
    directory = store.path_for_directory(world["key"]).read_text(encoding="utf-8")
    seen = 0
    for _, path, _ in _patients(world):
        page = path.read_text(encoding="utf-8")
        verdicts = re.findall(r'<b class="(\w+)">', page)
        (answer,) = re.findall(r'<p class="answer">(.*?)</p>', page)
        counted = [int(number) for number in re.findall(r"(?:^|\. )([\d,]+) ", answer)]
        assert sum(counted) == len(verdicts), (path.name, answer)
        cells = re.search(rf'patients/{path.name}">.*?</th>(.*?)</tr>', directory)
        assert cells is not None
        _, found = re.findall(r'<td role="cell">(.*?)</td>', cells[1])
        if "Archived" not in found:
            others = f" +{len(verdicts) - 1}" if len(verdicts) > 1 else ""
            assert re.fullmatch(rf'<span class="{verdicts[0]}">[^<]*</span>{re.escape(others)}', found), found
            seen += 1
    assert seen > 10


def test_the_call_list_says_what_the_pages_say(world: dict[str, Any]) -> None:
    """Whoever is on it has that verdict on top of their page, and the same days; nobody else has such a verdict."""
    store = world["stores"]["en"]
    page = store.path_for_clinic(world["key"]).read_text(encoding="utf-8")
    entries = dict(re.findall(r'patients/(\S+)\.html">[^\n]*?<b class="(\w+)">[^<]*</b>', page.split('id="labs"')[0]))
    on_pages = {}
    for _, path, _ in _patients(world):
        text = path.read_text(encoding="utf-8")
        (first, *_) = re.findall(r'<b class="(\w+)">', text)
        if first in {"long", "late", "ranout", "never"} and "Archived in Fullscript" not in text:
            on_pages[path.stem] = first
    assert entries == on_pages
    assert len(entries) > 2


def test_dates_and_lateness_are_those_of_the_mart(world: dict[str, Any]) -> None:
    for rows, path, _ in _patients(world):
        text = read(path).text
        for row in rows:
            if row["is_current"] is False or row["run_out_on"] is None:
                continue
            assert ENGLISH.day(row["run_out_on"] - timedelta(days=1)) in text
            if row["status"] == "out_of_supply" and row["days_late"] is not None:
                assert row["days_late"] == (row["as_of"] + timedelta(days=1) - row["run_out_on"]).days
                assert ENGLISH.ngettext("%(num)s day late", "%(num)s days late", row["days_late"]) in text


def test_no_two_sentences_of_a_page_contradict_each_other(world: dict[str, Any]) -> None:
    """No "on track" beside "days late" in a row, no "no orders seen" beside an order, no verdict on a short window."""
    for _, path, _ in _patients(world):
        page = path.read_text(encoding="utf-8")
        for row in re.findall(r"<tr[^>]*><th scope=\"row\".*?</tr>", page, re.S):
            found = re.search(r'<b class="(\w+)">', row)
            assert found is not None
            key = found[1]
            assert ("day late" in row or "days late" in row) == (key in {"long", "late", "ranout"}), row
            assert "due in" not in row or key in {"track", "due"}, row
            assert "below the" not in row or key not in {"track", "due"}, row
            assert not ("too early to say" in row and "line" in row.split("too early to say")[1][:40]), row
        for why in re.findall(r"<div>\n<h3>.*?</div>", page, re.S):
            assert not ("No orders of this product seen" in why and "Last order " in why), why


def test_the_arithmetic_of_a_row_closes(world: dict[str, Any]) -> None:
    """By dose period: on hand and bought, less what is left, is what was used; over the dose it is the days covered."""
    closed = 0
    for _, path, _ in _patients(world):
        text = read(path).text
        for found in re.finditer(
            r"([\d,.]+) on hand \+ ([\d,.]+) ordered − ([\d,.]+) left = ([\d,.]+) [^÷]{1,30}÷ ([\d,./]+) per day = "
            r"([\d,.]+) days? covered",
            text,
        ):
            carried, bought, left, used, rate, days = (Fraction(number.replace(",", "")) for number in found.groups())
            assert abs(carried + bought - left - used) <= Fraction(1, 50), path.name
            assert abs(used / rate - days) <= Fraction(1, 100) / min(rate, Fraction(1)), found[0]
            closed += 1
    assert closed > 20


def test_french_pages_say_the_same_numbers_and_no_english_word(world: dict[str, Any]) -> None:
    french = page_language("fr")
    for rows, english_path, french_path in _patients(world):
        texts = read(english_path), read(french_path)
        fields = ("product_name", "brand_name", "dosage_text")
        data = sorted({str(row[name]) for row in rows for name in fields if row[name]}, key=len, reverse=True)
        said = _own_words(texts[1], data)
        assert not (hit := _ENGLISH.search(said)), (hit, said[max(0, hit.start() - 60) : hit.end() + 60] if hit else "")
        numbers = [sorted(_numbers(_own_words(page, data))) for page in texts]
        assert numbers[0] == numbers[1]
        assert read(french_path).all("html") == [{"lang": french.tag}]


@pytest.mark.parametrize("name", ["supply.xlsx", "call-list.xlsx"])
def test_french_workbooks_say_the_same_numbers_and_no_english_word(world: dict[str, Any], name: str) -> None:
    folders = [world["stores"][code].path_for_clinic(world["key"]).parent for code in ("en", "fr")]
    english, french = (_cells(folder / name) for folder in folders)
    assert english.numbers == french.numbers
    assert sum(map(len, french.numbers)) > 5
    # What is in both is data: names, addresses, products, dosage texts, ids.
    own = french.texts - english.texts
    assert len(own) > 15
    assert [text for text in own if "_" in text or _ENGLISH.search(re.sub(r"«[^»]*»", "", text))] == []
    words = [text for text in french.texts & english.texts if text in set(VERDICTS) | {"yes", "no", "status", "note"}]
    assert words in ([], ["note"])


def test_french_lists_and_index_have_no_english_word(world: dict[str, Any]) -> None:
    store = world["stores"]["fr"]
    folder = store.path_for_clinic(world["key"]).parent
    names = {row["product_name"] for row in world["rows"]} | {lab["name"] for lab in world["labs"] + world["panels"]}
    data = sorted(filter(None, names), key=len, reverse=True)
    paths = [store.path_for_index(), *folder.glob("*.html"), *folder.glob("practitioners/*.html")]
    assert len(paths) > 4
    for path in paths:
        said = re.sub(r"<script.*?</script>", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not (hit := _ENGLISH.search(_own_words(Page(said), data))), (path.name, hit)


@dataclass(frozen=True)
class _Cells:
    texts: set[str]
    numbers: list[list[str]]


def _cells(path: Path) -> _Cells:
    """All texts of a workbook, and the numbers of its sheets, in order."""
    with zipfile.ZipFile(path) as book:
        shared = book.read("xl/sharedStrings.xml").decode()
        sheets = [
            book.read(name).decode() for name in sorted(book.namelist()) if name.startswith("xl/worksheets/sheet")
        ]
    texts = {html.unescape(text) for text in re.findall(r"<t[^>]*>([^<]*)</t>", shared)}
    return _Cells(texts, [re.findall(r'<c r="\w+"(?: s="\d+")?><v>([^<]*)</v>', sheet) for sheet in sheets])


def _own_words(page: Page, data: list[str]) -> str:
    """The page's text without the data in it. Texts that were cut (…) go with what is quoted."""
    text = re.sub(r"[“«][^”»]*[”»]", " ", Page(re.sub(r"<bdi>.*?</bdi>", " ", page.html)).text)
    for value in data:
        text = text.replace(" ".join(value.split()), " ")
    return text


def _numbers(text: str) -> list[str]:
    """The numbers in a text, as English writes them; months, hours and `1er` are not compared."""
    text = re.sub(r"(\d)er\b", r"\1", text)
    text = re.sub(r"(\d{2})[ \u00a0]h[ \u00a0](\d{2})", r"\1:\2", text)
    text = re.sub(r"(?<=\d)\u00a0(?=\d{3})", "", text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"(?<=\d),(?=\d)", ".", text)
    return re.findall(r"\d+(?:\.\d+)?", text)


def test_every_verdict_has_words(world: dict[str, Any]) -> None:
    keys = {_verdict_key(row) for row in world["rows"]}
    assert keys <= set(VERDICTS)
    assert len(keys) >= 5
    assert isinstance(world["day"], date)
