"""What catalog pages say beyond their templates: section titles, coverage, counts of plans, why a digest is held.

The catalog room says the same in English for the terminal and for files. What does not belong here: names of fields
(`field_words`), prices and sizes (`catalog_numbers`), layout.
"""

import re
from datetime import date

from fullscript_pipeline.catalog import SMALL, Coverage, Digest, Section, shown_plans
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.reports.catalog_numbers import sum_words
from fullscript_pipeline.reports.language import PageLanguage, translatable

# By the key of the section; the English ones are those of `catalog.SECTIONS`.
_TITLES = {
    "removed": translatable("Gone"),
    "discontinued": translatable("Discontinued"),
    "stock": translatable("Out of stock or back in stock"),
    "price_up": translatable("Price rises"),
    "price_down": translatable("Price falls"),
    "new": translatable("New or returned"),
    "variants": translatable("Variants added, removed or resized"),
    "facts": translatable("Dosage and label facts"),
    "text": translatable("Text only"),
}
_STATUSES = {
    status: status
    for status in (
        translatable("available"),
        translatable("unavailable"),
        translatable("gone"),
        translatable("removed"),
    )
}
# Why a digest is held (`catalog.digest.hold_reason`), which is stored in English.
_HELD = (
    (
        re.compile(r"(?P<part>[\d,]+) of (?P<all>[\d,]+) products \((?P<percent>\d+) %\) are gone at once\."),
        translatable(
            "%(part)s of %(all)s products (%(percent)s %%) are gone at once. More likely a list cut short or a changed "
            "permission than a real change: check the pull, then release the digest."
        ),
    ),
    (
        re.compile(r"(?P<part>[\d,]+) of (?P<all>[\d,]+) prices \((?P<percent>\d+) %\) moved at once\."),
        translatable(
            "%(part)s of %(all)s prices (%(percent)s %%) moved at once. More likely a changed format or currency than "
            "a real change: check the pull, then release the digest."
        ),
    ),
)


def section_words(key: str, language: PageLanguage) -> str:
    """The title of a section."""
    return language.gettext(_TITLES[key])


def brand_status(status: str | None, language: PageLanguage) -> str:
    """The status of a brand; a word that the vendor has not documented stays as it is."""
    return language.gettext(_STATUSES[status]) if status in _STATUSES else status or ""


def heading_words(digest: Digest, language: PageLanguage) -> str:
    """`Catalog changes, US, 21 → 22 Nov 2026`."""
    return language.gettext(
        "Catalog changes, %(region)s, %(days)s",
        region=digest.region.upper(),
        days=_days(digest.from_day, digest.to_day, language),
    )


def coverage_words(coverage: Coverage, language: PageLanguage) -> str:
    """`4,112 products seen (full listing not permitted to this app)`."""
    products = language.ngettext("%(num)s product seen", "%(num)s products seen", coverage.products)
    if coverage.full_listing is None:
        return products
    if coverage.full_listing:
        return language.gettext("%(products)s (full listing)", products=products)
    return language.gettext("%(products)s (full listing not permitted to this app)", products=products)


def held_words(held: str, language: PageLanguage) -> str:
    """Why the digest is held, in the language of the page; a reason of an earlier version stays in English."""
    for pattern, sentence in _HELD:
        if match := pattern.match(held):
            numbers = {name: language.number(int(text.replace(",", ""))) for name, text in match.groupdict().items()}
            return language.gettext(sentence, **numbers)
    return held


def plans_words(plans: int, language: PageLanguage) -> str:
    """`0`, `under 5`, `1,204`."""
    shown = shown_plans(plans)
    return language.gettext("under %(number)s", number=SMALL) if shown is None else language.number(shown)


def plans_sum_words(section: Section, region: str, language: PageLanguage) -> str | None:
    """`+45.60 CAD over active plans, one unit each` of a price section; None where nothing is known to move."""
    if not section.plans_sum:
        return None
    amount = f"{sum_words(section.plans_sum, language)} {REGIONS[region].currency}"
    return language.gettext("%(amount)s over active plans, one unit each", amount=amount)


def _days(first: date, last: date, language: PageLanguage) -> str:
    is_one_month = (first.year, first.month) == (last.year, last.month)
    return f"{language.day_of_month(first) if is_one_month else language.day(first)} → {language.day(last)}"
