"""Why a row could not be measured, in the language of the page.

The mart says it in English. In another language each sentence of the mart is recognised and translated; one that is not
known here becomes the general one of its kind. What does not belong here: finding the reason (`adherence`).
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache

from fullscript_pipeline.reports.language import PageLanguage, translatable, translatable_plural
from fullscript_pipeline.reports.status_texts import REASONS
from fullscript_pipeline.reports.unit_names import unit_name

_SENTENCES = (
    *REASONS.values(),
    translatable("the dosage does not say in which unit"),
    translatable("the dosage gives only a lower limit"),
    translatable("the dosage gives only an upper limit"),
    translatable("an order names plans of several people, so how much of it is for this patient is not known"),
)
_FIELDS = {
    "amount": translatable("the amount “%(text)s”"),
    "frequency": translatable("the frequency “%(text)s”"),
    "duration": translatable("the duration “%(text)s”"),
    "format": translatable("the format “%(text)s”"),
}
_IN_DETAIL = translatable("the dosage text gives no clear daily amount: %(problem)s")
_OF_TEXTS = translatable("%(problem)s (%(texts)s)")
_NOT_UNDERSTOOD = translatable_plural("%(words)s is not understood", "%(words)s are not understood")
# What the reader of dosage texts says of a text that it refuses. The values are words of the text, or names of units.
_PROBLEMS = (
    translatable("a count is said twice"),
    translatable("a day of the week is named twice, or all are"),
    translatable("a dose and a limit on it can mean several things"),
    translatable("a dose for adults and one for children are given"),
    translatable("a limit on a range is doubtful"),
    translatable("a negative number is no dose"),
    translatable("a range falls instead of rising"),
    translatable("a strength is given instead of a number of units"),
    translatable("a whole number and more than one whole is doubtful"),
    translatable("amounts at times of day that are not clearly different"),
    translatable("different lengths of time are given"),
    translatable("how many meals are meant is not said"),
    translatable("how many times of day are meant is not said"),
    translatable("how often in which time is not said"),
    translatable("it ends at an event, not on a date"),
    translatable("it ends on a date"),
    translatable("it is a number without days, weeks or months"),
    translatable("it is a supply, not a length"),
    translatable("it is to be taken as needed"),
    translatable("more days are named than there are in the period"),
    translatable("one of several amounts does not name its time of day"),
    translatable("several limits can mean several things"),
    translatable("so many a day are more likely a strength"),
    translatable("the amount and the conversion beside it disagree"),
    translatable("the amount is in %(unit)s, the format is %(other_unit)s"),
    translatable("the count may be said twice"),
    translatable("the course is shorter than the interval between doses"),
    translatable("the fraction %(number)s is doubtful"),
    translatable("the frequency has two meanings (twice in a period, or every two)"),
    translatable("the length is given only as a limit"),
    translatable("the length is given only as a minimum"),
    translatable("the length is given only roughly"),
    translatable("the length is no believable whole number of days"),
    translatable("the limit is below the dose"),
    translatable("the limit is in another unit than the dose"),
    translatable("the number of doses and the named times of day disagree"),
    translatable("the number of times and the named days disagree"),
    translatable("the number of times and the named times of day disagree"),
    translatable("the place of use is said twice"),
    translatable("the text begins or ends with “%(word)s”"),
    translatable("the text ends in the middle"),
    translatable("the text is longer than %(number)s characters"),
    translatable("the total and the doses disagree"),
    translatable("there is no amount"),
    translatable("there is no frequency"),
    translatable("three numbers in a row can mean several things"),
    translatable("times of day in two places can add up or repeat each other"),
    translatable("two amounts each name a period"),
    translatable("two different frequencies are given"),
    translatable("two different numbers stand for one"),
    translatable("two different units are given"),
    translatable("two different units are given to choose from"),
    translatable("two frequencies with “or” between them"),
    translatable("two names of one time of day can be one or two"),
    translatable("two numbers stand next to each other"),
    translatable("two statements joined by “%(word)s” can mean several things"),
    translatable("two times of day with nothing between them can be one or two"),
    translatable("what comes after the review is not said"),
    translatable("what is counted is not said"),
    translatable("whether a number is an hour or a count is not said"),
    translatable("whether an age or a length of time is meant is not said"),
    translatable("whether it is taken once or with every meal on those days is not said"),
    translatable("whether the amount is for the day or for each time is not said"),
    translatable("whether the limit counts times or units is not said"),
    translatable("which way round the week is meant is doubtful"),
    translatable("zero is no dose and no length"),
    translatable("%(number)s can be a thousand and more, or one and a part"),
    translatable("%(number)s is no number of a dose"),
    translatable("%(unit)s is a strength, not a number of units"),
)
_NAMES = "|".join(_FIELDS)
_QUOTED = re.compile(rf'the ({_NAMES}) "(.*?)"(?=, the (?:{_NAMES}) "|$)', re.DOTALL)
# Perhaps before the texts that a problem is about.
_TEXTS = rf'(?: \((?P<texts>the (?:{_NAMES}) ".*")\))?'
_WORDS = re.compile(rf'"(?P<words>.+?)" (?:is|are) not understood{_TEXTS}', re.DOTALL)


def unmeasured_reason(reason: str | None, measurable: str, flags: Sequence[str], language: PageLanguage) -> str:
    """The mart's reason in the language, or the general one for what could not be measured."""
    if reason and language.code == "en":
        return reason
    translated = _translate(reason, language) if reason else None
    if translated is not None:
        return translated
    if measurable in REASONS:
        return language.gettext(REASONS[measurable])
    return language.gettext(next((REASONS[flag] for flag in flags if flag in REASONS), REASONS["unknown"]))


@lru_cache(maxsize=2_000)
def _translate(reason: str, language: PageLanguage) -> str | None:
    if reason in _SENTENCES:
        return language.gettext(reason)
    before, _, _ = _IN_DETAIL.partition("%(problem)s")
    if not reason.startswith(before):
        return None
    detail = translate_problem(reason.removeprefix(before), language)
    return language.gettext(_IN_DETAIL, problem=detail) if detail else None


def translate_problem(problem: str, language: PageLanguage) -> str | None:
    """What the reader of dosage texts says of a text, in the language; None for a sentence that is not known here."""
    plain = " ".join(problem.split())
    if found := _WORDS.fullmatch(plain):
        words = [language.gettext("“%(text)s”", text=text) for text in re.split('", "|" and "', found["words"])]
        said = language.ngettext(*_NOT_UNDERSTOOD, len(words), words=language.enumerate(words))
        return _with_texts(said, found["texts"], language)
    for sentence, pattern in _patterns():
        if found := pattern.fullmatch(plain):
            values = {name: _value(name, text, language) for name, text in found.groupdict().items() if text}
            texts = values.pop("texts", None)
            return _with_texts(language.gettext(sentence, **values), texts, language)
    return None


def _value(name: str, text: str, language: PageLanguage) -> str:
    return unit_name(language, text) if name in {"unit", "other_unit"} else text


def _with_texts(said: str, texts: str | None, language: PageLanguage) -> str:
    """The problem, and the texts it is about."""
    if not texts:
        return said
    quoted = ", ".join(language.gettext(_FIELDS[name], text=text) for name, text in _QUOTED.findall(texts))
    return language.gettext(_OF_TEXTS, problem=said, texts=quoted)


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Each sentence as the mart has it, perhaps before the texts it is about."""
    patterns = []
    for sentence in _PROBLEMS:
        plain = re.escape(sentence).replace("“", '"').replace("”", '"')
        named = re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+?)", plain)
        patterns.append((sentence, re.compile(f"{named}{_TEXTS}", re.DOTALL)))
    return patterns
