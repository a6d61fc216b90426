"""A digest: changes in sections, in the order a catalog team acts on them, with counts, coverage and the reason to
hold it.

What does not belong here: finding changes (changes.py), sorting them (sections.py), text and HTML (formats.py, the
reports room).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.catalog.changes import CatalogChange, changes_between
from fullscript_pipeline.catalog.coverage import Coverage, coverage_between
from fullscript_pipeline.catalog.observed_days import end_of
from fullscript_pipeline.catalog.sections import Section, fold_changes, make_sections
from fullscript_pipeline.catalog.successors import Successor, find_successors

MASS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The changes between two days, by section.

    `cosmetic`: rewritings, which are counted and not listed. `folded`: by product id, how many variants were added or
    removed together with their product; the product's row mentions them. `successors`: by product id, the product that
    was made anew with the same SKU or UPC, or the one that it replaces. `held`: why the digest is held, if it is.
    `note`: a sentence about the days that were compared.
    """

    region: str
    from_day: date
    to_day: date
    coverage: Coverage
    sections: Sequence[Section]
    cosmetic: int
    folded: Mapping[str, int]
    held: str | None
    successors: Mapping[str, Successor]
    note: str | None = None

    def successor_of(self, row: CatalogChange) -> Successor | None:
        """The product that shares a SKU or UPC with the product of this row, if the row says that it left or came."""
        return self.successors.get(row.entity_id) if row.entity == "product" and row.field is None else None

    def variants_with(self, row: CatalogChange) -> int:
        """How many variants were added or removed together with the product of this row."""
        return self.folded.get(row.entity_id, 0) if row.entity == "product" and row.field is None else 0

    def for_brands(self, brands: Collection[str]) -> "Digest":
        """The same digest, restricted to these brand ids."""
        return replace(self, sections=make_sections([row for row in self.rows if row.brand_id in brands]), cosmetic=0)

    @property
    def rows(self) -> list[CatalogChange]:
        """Every listed change, section by section."""
        return list(chain.from_iterable(section.rows for section in self.sections))

    @property
    def by_field(self) -> list[tuple[str, int]]:
        """The number of changes per field, most first. Added, removed and returned objects count under those words."""
        counted = Counter(row.field or f"{row.entity} {row.change}" for row in self.rows)
        return sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))

    @property
    def counts(self) -> dict[str, int]:
        """The number of entries per section, and of cosmetic ones: numbers only, so they may be Dagster metadata."""
        return {section.key: len(section.entries) for section in self.sections} | {"cosmetic": self.cosmetic}


def make_digest(
    region: str,
    from_day: date,
    to_day: date,
    coverage: Coverage,
    changes: Sequence[CatalogChange],
    *,
    successors: Mapping[str, Successor] | None = None,
    release: bool = False,
) -> Digest:
    """Sort changes (cosmetic ones included) into a digest. With `release` the digest is never held."""
    real = [row for row in changes if not row.cosmetic]
    listed, together = fold_changes(real)
    held = None if release else hold_reason(real, coverage)
    return Digest(
        region=region,
        from_day=from_day,
        to_day=to_day,
        coverage=coverage,
        sections=make_sections(listed),
        cosmetic=len(changes) - len(real),
        folded=together,
        held=held,
        successors=successors or {},
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
    successors = find_successors(con, region, changes, end_of(to_day, time_zone))
    return make_digest(
        region, from_day, to_day, coverage=coverage, changes=changes, successors=successors, release=release
    )


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
