"""Compares two catalogs variant by variant: what only one side has, and what both have with another price or fact.

Variants are matched by id, UPC or SKU. What does not belong here: reading a side (catalog_sides.py), printing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from fullscript_pipeline.catalog.catalog_sides import Side, SideVariant

MatchBy = Literal["id", "upc", "sku"]
_FACTS = ("brand", "product", "size", "availability", "status", "sku", "upc")


@dataclass(frozen=True, kw_only=True, slots=True)
class SideDifference:
    """A row of the comparison. `what`: `only left`, `only right`, or the field that differs.

    A price has no difference in percent where the two currencies are not the same.
    """

    what: str
    key: str
    variant: SideVariant
    left: str | None
    right: str | None
    left_currency: str | None = None
    right_currency: str | None = None
    percent: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class SideComparison:
    """The differences of two sides. `shared`: variants on both; `unmatched`: per side, variants without a usable key
    and those that share their key with another one."""

    left: Side
    right: Side
    matched_by: MatchBy
    shared: int
    unmatched: tuple[int, int]
    differences: Sequence[SideDifference]

    @property
    def counts(self) -> dict[str, int]:
        """The number of rows of each kind."""
        counts: dict[str, int] = {}
        for difference in self.differences:
            counts[difference.what] = counts.get(difference.what, 0) + 1
        return counts


def compare_sides(left: Side, right: Side, matched_by: MatchBy | None = None) -> SideComparison:
    """Compares two sides. Without `matched_by`: by id where the two share an id, else by UPC."""
    if matched_by is None:
        shares_ids = not {row.variant_id for row in left.variants}.isdisjoint(row.variant_id for row in right.variants)
        matched_by = "id" if shares_ids else "upc"
    on_left, on_right = _by_key(left, matched_by), _by_key(right, matched_by)
    shared = on_left.keys() & on_right.keys()
    prices: list[SideDifference] = []
    facts: list[SideDifference] = []
    for key in [key for key in on_left if key in shared]:
        prices += _price_difference(key, on_left[key], on_right[key], (left.currency, right.currency))
        facts += _fact_differences(key, on_left[key], on_right[key], matched_by)
    return SideComparison(
        left=left,
        right=right,
        matched_by=matched_by,
        shared=len(shared),
        unmatched=(len(left.variants) - len(on_left), len(right.variants) - len(on_right)),
        differences=[
            *_only("only left", on_left, shared, left.currency),
            *_only("only right", on_right, shared, right.currency),
            *prices,
            *facts,
        ],
    )


def _by_key(side: Side, matched_by: MatchBy) -> dict[str, SideVariant]:
    """The variants by their key. One that several variants share says nothing of any of them, and is left out."""
    found: dict[str, list[SideVariant]] = {}
    for row in side.variants:
        if key := _key(row, matched_by):
            found.setdefault(key, []).append(row)
    return {key: rows[0] for key, rows in found.items() if len(rows) == 1}


def _key(row: SideVariant, matched_by: MatchBy) -> str | None:
    if matched_by == "id":
        return row.variant_id
    if matched_by == "sku":
        return (row.sku or "").strip() or None
    digits = "".join((row.upc or "").split()).replace("-", "")
    # A UPC of twelve digits is the same number as its EAN of thirteen: both are filled up to fourteen.
    is_code = digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 14 and digits.strip("0")
    return digits.zfill(14) if is_code else None


def _only(what: str, rows: Mapping[str, SideVariant], shared: set[str], currency: str) -> Iterator[SideDifference]:
    for key, row in rows.items():
        if key in shared:
            continue
        on_left = what == "only left"
        yield SideDifference(
            what=what,
            key=key,
            variant=row,
            left=row.msrp if on_left else None,
            right=None if on_left else row.msrp,
            left_currency=currency if on_left and row.msrp else None,
            right_currency=currency if not on_left and row.msrp else None,
        )


def _price_difference(
    key: str, left: SideVariant, right: SideVariant, currencies: tuple[str, str]
) -> Iterator[SideDifference]:
    """Prices in two currencies are never equal: they are listed beside each other."""
    before, after = _number(left.msrp), _number(right.msrp)
    same_currency = currencies[0] == currencies[1]
    is_equal = left.msrp == right.msrp if before is None or after is None else before == after
    if (left.msrp is None and right.msrp is None) or (same_currency and is_equal):
        return
    percent = None
    if same_currency and before and after is not None:
        percent = ((after - before) / before * 100).quantize(Decimal("0.01"))
    yield SideDifference(
        what="price",
        key=key,
        variant=left,
        left=left.msrp,
        right=right.msrp,
        left_currency=currencies[0],
        right_currency=currencies[1],
        percent=percent,
    )


def _fact_differences(key: str, left: SideVariant, right: SideVariant, matched_by: MatchBy) -> Iterator[SideDifference]:
    for name in _FACTS:
        before, after = getattr(left, name), getattr(right, name)
        # A copy for analysts leaves columns out: what a side does not say is no difference.
        if name != matched_by and None not in (before, after) and before != after:
            yield SideDifference(what=name, key=key, variant=left, left=before, right=after)


def _number(text: str | None) -> Decimal | None:
    try:
        number = Decimal(text or "")
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < 15 else None
