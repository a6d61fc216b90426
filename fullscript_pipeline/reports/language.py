"""The language of a page: its sentences from the catalogue, its dates and numbers by Babel's rules for the locale.

English sentences are the keys. The French ones are in locales/fr/LC_MESSAGES/pages.po, compiled in memory when the
language is first used, so that no built file can be older than its source. A page gets its language with its context;
there is no current language. Add a language here: a `_Locale`, and its catalogue. What does not belong here: sentences.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from fullscript_pipeline.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Locale:
    """`locale`: Babel's name. The patterns are Babel's: `first_day` is the pattern of the first day of a month."""

    locale: str
    tag: str
    first_day: str
    time: str


_LOCALES = {
    "en": _Locale(locale="en", tag="en", first_day="d", time="HH:mm"),
    "fr": _Locale(locale="fr_CA", tag="fr-CA", first_day="d'er'", time="HH'\u00a0h\u00a0'mm"),
}
LANGUAGES = tuple(_LOCALES)


def translatable(message: str) -> str:
    """Mark a sentence of a table for the catalogue; `PageLanguage.gettext` translates it where it is used."""
    return message


def translatable_plural(one: str, many: str) -> tuple[str, str]:
    """Mark the two forms of a sentence of a table; `PageLanguage.ngettext` translates them where they are used."""
    return one, many


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageLanguage:
    """Translates sentences and formats dates and numbers. Get one from `page_language`, which has one per code.

    Sentences hold named placeholders, `%(days)s`; a percent sign is `%%`.
    """

    code: str
    _translations: NullTranslations

    @property
    def tag(self) -> str:
        """The value of the `lang` attribute: `en` or `fr-CA`."""
        return _LOCALES[self.code].tag

    def gettext(self, message: str, /, **values: object) -> str:
        """The sentence in this language, with its values."""
        return self.pattern(message) % values

    def ngettext(self, one: str, many: str, number: float, /, **values: object) -> str:
        """The form for `number`, with its values; `%(num)s` is the number as this language writes it."""
        if "num" not in values:
            values["num"] = self.number(number)
        return self.plural_pattern(one, many, number) % values

    def pattern(self, message: str) -> str:
        """The sentence in this language, with its placeholders."""
        return self._translations.gettext(message)

    def plural_pattern(self, one: str, many: str, number: float) -> str:
        """The form for `number`, with its placeholders. In both languages 1.5 is counted as its own rules say."""
        # gettext takes whole numbers: English counts 1.5 as many, French as one.
        whole = int(number) if self.code == "fr" else -(-number // 1)
        return self._translations.ngettext(one, many, int(whole))

    def day(self, value: date | None) -> str:
        """`22 Nov 2026`, `22 nov. 2026`; an em dash for None."""
        return "—" if value is None else _format_day(self.code, value, "MMM y")

    def day_of_year(self, value: date) -> str:
        """`22 Nov`: where the year is said beside it."""
        return _format_day(self.code, value, "MMM")

    def day_of_month(self, value: date) -> str:
        """`22`, `1er`: where month and year are said beside it."""
        return format_date(
            value, _LOCALES[self.code].first_day if value.day == 1 else "d", locale=_LOCALES[self.code].locale
        )

    def month(self, value: date) -> str:
        """`Nov 2026`."""
        return _format_month(self.code, value)

    def time(self, instant: datetime) -> str:
        """`14:05`, `14 h 05`: of an instant in its own zone."""
        return format_time(instant.time(), _LOCALES[self.code].time, locale=_LOCALES[self.code].locale)

    def moment(self, instant: datetime, zone: ZoneInfo) -> str:
        """`22 Nov 2026, 14:05`, in that zone."""
        local = instant.astimezone(zone)
        return f"{self.day(local.date())}, {self.time(local)}"

    def moment_with_zone(self, instant: datetime, zone: ZoneInfo) -> str:
        """`22 Nov 2026, 14:05 America/Toronto`."""
        return f"{self.moment(instant, zone)} {zone.key}"

    def number(self, amount: float | Fraction) -> str:
        """At most two decimals: `1,200.5`, `1 200,5`."""
        return _format_number(self.code, float(amount))

    def decimal(self, amount: Decimal, *, is_difference: bool = False) -> str:
        """With as many decimals as it has: `1,200.50`, `1 200,50`; a difference with its sign: `+7.5`, `+7,5`."""
        decimals = max(0, -int(amount.as_tuple().exponent))
        plain = f"#,##0.{'0' * decimals}" if decimals else "#,##0"
        pattern = f"+{plain};-{plain}" if is_difference else plain
        return str(format_decimal(amount, pattern, locale=_LOCALES[self.code].locale))

    def enumerate(self, items: Sequence[str]) -> str:
        """`a, b and c`."""
        return format_list(items, style="standard", locale="en_GB" if self.code == "en" else _LOCALES[self.code].locale)


@cache
def page_language(code: str) -> PageLanguage:
    """The language of that code. Raises UsageError for one that has no catalogue."""
    if code not in _LOCALES:
        raise UsageError(f"Pages cannot be written in {code!r}; the languages are {', '.join(LANGUAGES)}.")
    return PageLanguage(code=code, _translations=NullTranslations() if code == "en" else _compiled_catalogue(code))


def _compiled_catalogue(code: str) -> GNUTranslations:
    source = resources.files(__package__).joinpath("locales", code, "LC_MESSAGES", "pages.po")
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source.read_bytes()), locale=_LOCALES[code].locale))
    compiled.seek(0)
    return GNUTranslations(compiled)


@lru_cache(maxsize=20_000)
def _format_day(code: str, value: date, rest: str) -> str:
    locale = _LOCALES[code]
    return format_date(value, f"{locale.first_day if value.day == 1 else 'd'} {rest}", locale=locale.locale)


@lru_cache(maxsize=2_000)
def _format_month(code: str, value: date) -> str:
    return format_date(value, "MMM y", locale=_LOCALES[code].locale)


@lru_cache(maxsize=20_000)
def _format_number(code: str, amount: float) -> str:
    return format_decimal(amount, "#,##0.##", locale=_LOCALES[code].locale)


ENGLISH = page_language("en")
