"""Catalog changes as Excel workbooks: a sheet per section, names first, ids last, real dates and numbers.

What does not belong here: which section a change is in (the catalog room), how a cell is made safe (`workbooks`).
"""

from collections.abc import Sequence
from datetime import datetime

from fullscript_pipeline.catalog import (
    CatalogChange,
    Digest,
    Section,
    digest_title,
    make_sections,
    plans_sum_text,
    plans_text,
    price_step,
    shown_plans,
)
from fullscript_pipeline.plural import counted
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.reports.catalog_numbers import typed_value
from fullscript_pipeline.reports.workbooks import SafeWorkbook

COLUMNS = (
    "brand", "product", "variant or object", "change", "field", "old", "new", "difference", "difference %", "currency",
    "active plans", "changed on", "region", "kind", "product id", "object id", "brand id",
)  # fmt: skip
_WIDTHS = {"brand": 24, "product": 36, "variant or object": 24, "old": 30, "new": 30, "object id": 38, "product id": 38}
# Excel takes at most 31 characters; the titles of pages may be longer.
SHEETS = {
    "removed": "gone", "discontinued": "discontinued", "stock": "stock", "price_up": "price rises",
    "price_down": "price falls", "new": "new or returned", "variants": "variants", "facts": "label facts",
    "text": "text only",
}  # fmt: skip
LIMITS = (
    "Active plans: active treatment plans of the connected clinics that recommend the product; numbers from 1 to 4 are "
    "shown as “under 5”. What could not be seen is unknown and is never listed as gone."
)


def digest_workbook(digest: Digest, made_at: datetime) -> bytes:
    """The digest of a day: a sheet per section that has changes, and one that says what was compared."""
    book = SafeWorkbook("Catalog changes", made_at)
    sections: Sequence[Section] = [] if digest.held else digest.sections
    _add_sections(book, sections)
    sums = [f"{section.title}: {total}." for section in sections if (total := plans_sum_text(section, digest.region))]
    sentences = [f"{digest_title(digest)}.", *filter(None, [digest.note]), _summary(digest), *sums, LIMITS]
    book.add_sentences("about", sentences)
    return book.content()


def changes_workbook(changes: Sequence[CatalogChange], about: Sequence[str], made_at: datetime) -> bytes:
    """Changes of any days and regions, in the same sheets; `about`: sentences that say which."""
    book = SafeWorkbook("Catalog changes", made_at)
    _add_sections(book, make_sections(changes))
    book.add_sentences("about", [*about, f"{counted(len(changes), 'change')} listed.", LIMITS])
    return book.content()


def _add_sections(book: SafeWorkbook, sections: Sequence[Section]) -> None:
    for section in sections:
        if section.rows:
            book.add_table(SHEETS[section.key], COLUMNS, [_cells(row) for row in section.rows], _WIDTHS)


def _summary(digest: Digest) -> str:
    if digest.held:
        return f"Held: {digest.held}"
    if digest.from_day == digest.to_day:
        return "First observation of this catalog: the baseline. Changes are listed from the next day on."
    return (
        f"{counted(len(digest.rows), 'change')} listed; {counted(digest.cosmetic, 'rewriting')} of the same text not."
    )


def _cells(row: CatalogChange) -> tuple[object, ...]:
    step, percent = price_step(row)
    plans = shown_plans(row.active_plans)
    return (
        row.brand_name,
        row.product_name if row.entity in {"product", "variant"} else None,
        None if row.entity == "product" else row.entity_name,
        row.change,
        row.field,
        typed_value(row.field, row.old_value),
        typed_value(row.field, row.new_value),
        step or None,
        percent,
        REGIONS[row.region].currency if row.field == "msrp" else None,
        plans_text(row.active_plans) if plans is None else plans,
        row.changed_on,
        row.region.upper(),
        row.entity,
        row.product_id,
        row.entity_id,
        row.brand_id,
    )
