"""The words: every status has some, thresholds fall where the method says, nothing blames a person."""

import re
from pathlib import Path

import pytest

from fullscript_pipeline.reports import status_texts, thresholds
from fullscript_pipeline.reports.language import ENGLISH
from fullscript_pipeline.reports.thresholds import ReportPolicy
from fullscript_pipeline_tests.helpers.html import read
from fullscript_pipeline_tests.helpers.mart_fixtures import LATE, STATUSES, demo_patient, patient, row
from fullscript_pipeline_tests.helpers.page_writing import Write

BANNED = re.compile(
    r"non-?complian|non-?adheren|\bfail|\brefus|\bpoor|\bbad\b|\bgrade|\bscore|\bworst|\bbest\b|\bcomplian", re.I
)


@pytest.mark.parametrize(
    ("status", "late", "due", "key"),
    [
        ("covered", None, 8, "track"),
        ("covered", None, 7, "due"),
        ("covered", None, 0, "due"),
        ("covered", None, None, "track"),
        ("out_of_supply", 1, None, "ranout"),
        ("out_of_supply", 6, None, "ranout"),
        ("out_of_supply", 7, None, "late"),
        ("out_of_supply", 29, None, "late"),
        ("out_of_supply", 30, None, "long"),
        ("out_of_supply", None, None, "ranout"),
        ("never_ordered", None, None, "never"),
        ("a_word_from_the_future", None, None, "unknown"),
    ],
)
def test_thresholds(status: str, late: int | None, due: int | None, key: str) -> None:
    assert status_texts.verdict(status, late, due, ReportPolicy()).key == key


def test_thresholds_are_settings() -> None:
    policy_of_clinic = ReportPolicy(late_days=3, long_gap_days=10, due_soon_days=2)
    assert status_texts.verdict("out_of_supply", 3, None, policy_of_clinic).key == "late"
    assert status_texts.verdict("out_of_supply", 10, None, policy_of_clinic).key == "long"
    assert status_texts.verdict("covered", None, 3, policy_of_clinic).key == "track"


def test_every_status_of_the_method_has_its_own_words() -> None:
    unknown = status_texts.VERDICTS["unknown"]
    found = {status: status_texts.verdict(status, None, None, ReportPolicy()) for status in STATUSES}
    assert [status for status, verdict in found.items() if verdict == unknown] == ["not_measurable"]


def test_answer_line_counts_in_words() -> None:
    keys = ["track", "track", "track", "late", "unknown"]
    line = status_texts.describe_products((status_texts.VERDICTS[key] for key in keys), ENGLISH)
    assert line == "3 of 5 products look on track. 1 product looks late. 1 product cannot be measured."
    assert status_texts.describe_products([status_texts.VERDICTS["late"]], ENGLISH) == "1 product looks late."


def test_no_banned_word_in_any_source_of_words() -> None:
    folder = Path(status_texts.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in (folder / "templates").glob("*.j2")]
    texts += [
        repr(status_texts.VERDICTS),
        repr(status_texts.REASONS),
        repr(status_texts.FLAGS),
        ReportPolicy().sentence(ENGLISH),
    ]
    texts += [repr(value) for value in vars(thresholds).values() if isinstance(value, str)]
    assert [found.group() for text in texts if (found := BANNED.search(text))] == []


def test_no_banned_word_and_nothing_above_100_percent_on_pages(con: object, write: Write) -> None:
    """Every status and a share above one (a fault upstream) rendered for real."""
    for number, status in enumerate(STATUSES):
        patient(con, f"p{number}")  # type: ignore[arg-type]
        row(con, f"p{number}", status, pdc_min=1.2, pdc_max=1.4, course_supply_ratio=1.3)  # type: ignore[arg-type]
    patient(con, "late")  # type: ignore[arg-type]
    row(con, "late", **(LATE | {"days_late": 31}))  # type: ignore[arg-type]
    demo_patient(con)  # type: ignore[arg-type]
    folder = write().clinic_page.parent
    pages = [read(path).text for path in folder.rglob("*.html")]
    assert len(pages) == len(STATUSES) + 2 + 5
    for text in pages:
        assert not BANNED.search(text)
        shares = [int(found) for found in re.findall(r"(\d+) %", text)]
        assert shares
        assert max(shares) <= 100
        assert not re.search(r"\d\.\d+ %", text)


def test_palette_has_enough_contrast_on_both_papers() -> None:
    """WCAG 2.2 AA for text: 4.5 to 1, on white and on the dark page."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for verdict in status_texts.VERDICTS.values():
        on_dark = status_texts.ON_DARK[verdict.colour]
        assert 1.05 / (luminance(verdict.colour) + 0.05) >= 4.5, verdict
        assert (luminance(on_dark) + 0.05) / (luminance("#111827") + 0.05) >= 4.5, verdict
