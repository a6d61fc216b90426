"""A digest: changes in sections, in the order a catalog team acts on them, with counts, coverage and the reason to
hold it.

What does not belong here: finding changes (changes.py), text and HTML (formats.py, the reports room).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.catalog.changes import CatalogChange, changes_between
from fullscript_pipeline.catalog.coverage import Coverage, coverage_between

TOP = 10
MASS = 3
SECTIONS = (
    ("gone", "Gone or discontinued"),
    ("availability", "Availability"),
    ("price", "Price"),
    ("new", "New or returned"),
    ("variants", "Variants added, removed or resized"),
    ("facts", "Dosage and label facts"),
    ("text", "Text only"),
)
_SIZE_FIELDS = {"units", "unit_of_measure", "product_id"}


@dataclass(frozen=True, slots=True)
class Section:
    """Changes of one kind, those that affect most active plans first."""

    key: str
    title: str
    rows: Sequence[CatalogChange]

    def top(self, most: int = TOP) -> Sequence[CatalogChange]:
        """The first rows."""
        return self.rows[:most]


@dataclass(frozen=True, slots=True)
class Digest:
    """The changes between two days, by section.

    `cosmetic`: rewritings, which are counted and not listed. `folded`: by product id, how many variants were added or
    removed together with their product; the product's row mentions them. `held`: why the digest is held, if it is.
    """

    region: str
    from_day: date
    to_day: date
    coverage: Coverage
    sections: Sequence[Section]
    cosmetic: int
    folded: Mapping[str, int]
    held: str | None

    def variants_with(self, row: CatalogChange) -> int:
        """How many variants were added or removed together with the product of this row."""
        return self.folded.get(row.entity_id, 0) if row.entity == "product" and row.field is None else 0

    def for_brands(self, brands: Collection[str]) -> "Digest":
        """The same digest, restricted to these brand ids."""
        sections = [
            replace(section, rows=[row for row in section.rows if row.brand_id in brands]) for section in self.sections
        ]
        return replace(self, sections=sections, cosmetic=0)

    @property
    def rows(self) -> list[CatalogChange]:
        """Every listed change, section by section."""
        return [row for section in self.sections for row in section.rows]

    @property
    def by_field(self) -> list[tuple[str, int]]:
        """The number of changes per field, most first. Added, removed and returned objects count under those words."""
        counted = Counter(row.field or f"{row.entity} {row.change}" for row in self.rows)
        return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))

    @property
    def counts(self) -> dict[str, int]:
        """The number of changes per section, and of cosmetic ones: numbers only, so they may be Dagster metadata."""
        return {section.key: len(section.rows) for section in self.sections} | {"cosmetic": self.cosmetic}


def section_of(row: CatalogChange) -> str:
    """The section of a change: the first rule that matches."""
    if row.entity == "category_product":
        return "facts"
    if row.entity == "variant" and (row.change != "changed" or row.field in _SIZE_FIELDS):
        return "variants"
    if row.change == "removed" or (row.field == "status" and (row.new_value or "").casefold() != "available"):
        return "gone"
    if row.change in {"added", "returned"}:
        return "new"
    by_field = {"availability": "availability", "status": "availability", "msrp": "price", "description_html": "text"}
    return by_field.get(row.field or "", "facts")


def make_digest(
    region: str,
    from_day: date,
    to_day: date,
    coverage: Coverage,
    changes: Sequence[CatalogChange],
    *,
    release: bool = False,
) -> Digest:
    """Sort changes (cosmetic ones included) into a digest. With `release` the digest is never held."""
    real = [row for row in changes if not row.cosmetic]
    moved_products = {row.entity_id for row in real if row.entity == "product" and row.field is None}
    folded = [row for row in real if row.entity == "variant" and row.field is None and row.product_id in moved_products]
    hidden = set(folded)
    listed = [row for row in real if row not in hidden]
    listed.sort(key=lambda row: -row.active_plans)
    sections = [Section(key, title, [row for row in listed if section_of(row) == key]) for key, title in SECTIONS]
    together = Counter(row.product_id for row in folded if row.product_id)
    held = None if release else hold_reason(real, coverage)
    return Digest(
        region=region,
        from_day=from_day,
        to_day=to_day,
        coverage=coverage,
        sections=sections,
        cosmetic=len(changes) - len(real),
        folded=together,
        held=held,
    )


def digest_between(
    con: duckdb.DuckDBPyConnection,
    region: str,
    from_day: date,
    to_day: date,
    time_zone: ZoneInfo,
    *,
    brand: str | None = None,
    release: bool = False,
) -> Digest:
    """The digest of any two days. Raises UsageError as `changes_between` does."""
    changes = changes_between(con, region, from_day, to_day, time_zone=time_zone, brand=brand, include_cosmetic=True)
    coverage = coverage_between(con, region, from_day, to_day, time_zone=time_zone, changes=changes)
    return make_digest(region, from_day, to_day, coverage=coverage, changes=changes, release=release)


def hold_reason(changes: Sequence[CatalogChange], coverage: Coverage) -> str | None:
    """Why a digest is held, or None: more than 20 % of products removed, or more than 50 % of prices changed.

    Such a mass change is probably a fault. Fewer than MASS objects are never a mass change, however small the catalog.
    """
    gone = sum(row.entity == "product" and row.change == "removed" for row in changes)
    moved = sum(row.field == "msrp" for row in changes)
    before = coverage.products + gone if coverage.before is None else coverage.before
    if gone >= MASS and gone * 5 > before:
        return (
            f"{gone:,} of {before:,} products ({gone * 100 // before} %) are gone at once. More likely a list "
            "cut short or a changed permission than a real change: check the pull, then release the digest."
        )
    if moved >= MASS and moved * 2 > coverage.variants:
        return (
            f"{moved:,} of {coverage.variants:,} prices ({moved * 100 // coverage.variants} %) moved at once. "
            "More likely a changed format or currency than a real change: check the pull, then release the digest."
        )
    return None
