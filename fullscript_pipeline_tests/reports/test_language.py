"""The languages of the pages: the catalogue is complete, and dates, numbers and plurals are those of the language."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Message

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import ENGLISH, page_language
from fullscript_pipeline_tests.helpers.page_messages import extracted_messages, french_catalogue

FRENCH = page_language("fr")


def _sentences(messages: Iterable[Message]) -> set[object]:
    return {message.id for message in messages if message.id}


def test_every_sentence_of_the_pages_has_a_french_one() -> None:
    catalogue = french_catalogue()
    extracted, translated = _sentences(extracted_messages()), _sentences(catalogue)
    assert extracted == translated, "run `make messages`, then translate"
    for message in catalogue:
        forms = message.string if isinstance(message.string, (list, tuple)) else [message.string]
        assert all(forms) and not message.fuzzy, f"no French for {message.id!r}"
        assert not [str(problem) for problem in message.check(catalogue)], message.id


def test_dates_numbers_and_lists_follow_the_language() -> None:
    toronto = ZoneInfo("America/Toronto")
    noon = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
    assert ENGLISH.moment(noon, toronto) == "30 Nov 2026, 12:00"
    assert FRENCH.moment(noon, toronto) == "30 nov. 2026, 12\u00a0h\u00a000"
    assert [FRENCH.day(date(2026, 8, day)) for day in (1, 2)] == ["1er août 2026", "2 août 2026"]
    assert (ENGLISH.day(None), ENGLISH.day_of_year(date(2026, 9, 1))) == ("—", "1 Sep")
    assert (ENGLISH.number(1200.5), FRENCH.number(1200.5)) == ("1,200.5", "1\xa0200,5")
    assert (ENGLISH.decimal(Decimal("1200.50")), FRENCH.decimal(Decimal("1200.50"))) == ("1,200.50", "1\xa0200,50")
    assert [FRENCH.decimal(Decimal(step), is_difference=True) for step in ("7.5", "-30")] == ["+7,5", "-30"]
    assert [FRENCH.day_of_month(date(2026, 8, day)) for day in (1, 2)] == ["1er", "2"]
    assert (ENGLISH.enumerate(["a", "b", "c"]), FRENCH.enumerate(["a", "b", "c"])) == ("a, b and c", "a, b et c")


@pytest.mark.parametrize(
    ("amount", "english", "french"),
    [(0, "0 days", "0 jour"), (1, "1 day", "1 jour"), (1.5, "1.5 days", "1,5 jour"), (2, "2 days", "2 jours")],
)
def test_plurals_follow_the_language(amount: float, english: str, french: str) -> None:
    assert (formatting.days(ENGLISH, amount), formatting.days(FRENCH, amount)) == (english, french)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError, match="en, fr"):
        page_language("de")
