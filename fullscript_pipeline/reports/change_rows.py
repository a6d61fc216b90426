"""Formats a catalog change as a row of a page: its object, its values, and word differences for prose.

What does not belong here: selecting changes (the catalog room) and the pages (digest.py, brands.py).
"""

from dataclasses import dataclass, replace

from markupsafe import Markup

from fullscript_pipeline.catalog import (
    CatalogChange,
    Digest,
    Entry,
    Successor,
    object_label,
)
from fullscript_pipeline.reports.catalog_numbers import difference_words, value_words
from fullscript_pipeline.reports.language import PageLanguage, translatable
from fullscript_pipeline.reports.word_diff import word_diff

_PROSE = frozenset({"description_html", "dosage.additional_info"})
# The heads of the columns, by the class of their cells.
_HEADS = {
    "t": translatable("Day"),
    "b": translatable("Brand"),
    "k": translatable("Variant"),
    "f": translatable("What"),
    "o": translatable("Old"),
    "w": translatable("New"),
    "d": translatable("Difference"),
    "n": translatable("Active plans"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A change as a page shows it. For prose, `difference` is shown instead of the old and new value.

    `successor`: the product with the same SKU or UPC, where the product left or came. `is_more`: the row continues the
    facts of the product above it.
    """

    change: CatalogChange
    what: str
    variant: str | None
    old: str
    new: str
    delta: str | None
    difference: Markup | None
    variants: int
    successor: Successor | None = None
    is_more: bool = False


def label_cells(language: PageLanguage) -> str:
    """Style rules: on a narrow screen a row is a card, and each cell begins with the head of its column."""
    rules = "".join(f'.changes .{name}::before{{content:"{language.gettext(head)}"}}' for name, head in _HEADS.items())
    return f"@media screen and (max-width:52rem){{{rules}}}"


def rows_of(entry: Entry, digest: Digest, language: PageLanguage) -> list[Row]:
    """The rows of one entry of a digest's section."""
    return [
        replace(
            row_of(change, language, digest.variants_with(change)),
            successor=digest.successor_of(change),
            is_more=place > 0,
        )
        for place, change in enumerate(entry)
    ]


def row_of(change: CatalogChange, language: PageLanguage, variants: int = 0) -> Row:
    """The row of a change; `variants`: how many variants were added or removed together with the product."""
    return Row(
        change=change,
        what=(change.product_name or "") if change.entity in {"product", "variant"} else (change.entity_name or ""),
        variant=object_label(change) if change.entity == "variant" else None,
        old=value_words(change.field, change.old_value, language),
        new=value_words(change.field, change.new_value, language),
        delta=difference_words(change, language),
        difference=word_diff(change.old_value, change.new_value, language) if change.field in _PROSE else None,
        variants=variants,
    )
