"""Sorts catalog changes into the sections of a digest: what happened, each change once.

A row of a section is called an entry: one change, or all label facts of a product that changed. What does not belong
here: finding changes (changes.py), when a digest is held (digest.py), text and HTML (formats.py, the reports room).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from operator import attrgetter

from fullscript_pipeline.catalog.changes import CatalogChange
from fullscript_pipeline.catalog.plan_counts import sum_over_plans
from fullscript_pipeline.catalog.stock_states import DISCONTINUED, IN_STOCK, OUT_OF_STOCK, fold_state

TOP = 10
SECTIONS = (
    ("removed", "Gone"),
    ("discontinued", "Discontinued"),
    ("stock", "Out of stock or back in stock"),
    ("price_up", "Price rises"),
    ("price_down", "Price falls"),
    ("new", "New or returned"),
    ("variants", "Variants added, removed or resized"),
    ("facts", "Dosage and label facts"),
    ("text", "Text only"),
)
# Words of `--fail-on` from before absences and prices were sections of their own; `is_alarming` says what they mean.
EARLIER_WORDS = ("gone", "availability", "price")
_SIZE_FIELDS = frozenset({"units", "unit_of_measure", "product_id"})
_NO_STEP = (Decimal(0), None)
_BY_FIELD = {"availability": "stock", "description_html": "text"}

Entry = Sequence[CatalogChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The entries of one section: prices by size of the change, the others by the number of active plans."""

    key: str
    title: str
    entries: Sequence[Entry]

    @property
    def rows(self) -> list[CatalogChange]:
        """Every change of the section."""
        return list(chain.from_iterable(self.entries))

    def top(self, most: int = TOP) -> Sequence[Entry]:
        """The first entries."""
        return self.entries[:most]

    @property
    def plans_sum(self) -> Decimal | None:
        """Of a price section: the sum of price differences over active plans, one unit a plan; otherwise None."""
        if not self.key.startswith("price"):
            return None
        return sum_over_plans((price_step(row)[0], row.active_plans) for row in self.rows if row.active_plans)


def section_of(row: CatalogChange) -> str:
    """The section of a change: the first rule that matches."""
    if row.entity == "category_product":
        return "facts"
    if row.entity == "variant" and (row.change != "changed" or row.field in _SIZE_FIELDS):
        return "variants"
    if row.change == "removed":
        return "removed"
    if row.change in {"added", "returned"}:
        return "new"
    return _section_of_field(row)


def _section_of_field(row: CatalogChange) -> str:
    if row.field == "status":
        word = fold_state(row.new_value)
        return "discontinued" if word in DISCONTINUED else "stock" if word in IN_STOCK | OUT_OF_STOCK else "facts"
    if row.field == "msrp" and (step := price_step(row)[0]):
        return "price_up" if step > 0 else "price_down"
    return _BY_FIELD.get(row.field or "", "facts")


def is_alarming(row: CatalogChange, words: AbstractSet[str]) -> bool:
    """True if one of the words (`any`, a section, or one of EARLIER_WORDS) covers the change."""
    return "any" in words or not words.isdisjoint({section_of(row), *_earlier_words(row)})


def _earlier_words(row: CatalogChange) -> Iterator[str]:
    """A status other than `available` was `gone`, whatever it said; every price was `price`, of whatever form."""
    is_available = fold_state(row.new_value) == "available"
    if section_of(row) == "removed" or (row.field == "status" and not is_available):
        yield "gone"
    if row.field == "availability" or (row.field == "status" and is_available):
        yield "availability"
    if row.field == "msrp":
        yield "price"


def fold_changes(rows: Sequence[CatalogChange]) -> tuple[list[CatalogChange], Mapping[str, int]]:
    """Leaves out what another listed change says; returns the listed changes, and per product the variants left out.

    A product that was added, removed or returned speaks for its variants; a removed one for all its facts. Of the
    status and the availability of a variant that say the same, one is listed; where they contradict, both are.
    """
    moved = {row.entity_id: row.change for row in rows if row.field is None and row.entity == "product"}
    stock_words = _stock_words(rows)
    listed: list[CatalogChange] = []
    together: Counter[str] = Counter()
    for row in rows:
        change = moved.get(row.product_id or "")
        if change and row.entity == "variant" and row.field is None:
            together[row.product_id or ""] += 1
        elif not (change == "removed" and _is_fact(row)) and not _is_said_by_another(row, stock_words):
            listed.append(row)
    return listed, together


def _is_fact(row: CatalogChange) -> bool:
    """Whether the row is about more than the presence of a product."""
    return row.entity != "product" or row.field is not None


def make_sections(rows: Sequence[CatalogChange]) -> list[Section]:
    """All sections, empty ones too."""
    by_section: dict[str, list[CatalogChange]] = {key: [] for key, _ in SECTIONS}
    for row in sorted(rows, key=attrgetter("active_plans"), reverse=True):
        by_section[section_of(row)].append(row)
    by_section["price_up"].sort(key=_percent, reverse=True)
    by_section["price_down"].sort(key=_percent)
    return [
        Section(
            key=key,
            title=title,
            entries=_by_product(by_section[key]) if key == "facts" else list(zip(by_section[key])),
        )
        for key, title in SECTIONS
    ]


def _percent(row: CatalogChange) -> float:
    return float(price_step(row)[1] or 0)


def price_step(row: CatalogChange) -> tuple[Decimal, Decimal | None]:
    """The difference of two prices or sizes (0 if a value is no number), and the same in percent of the old one."""
    return _step(row.old_value, row.new_value) if row.field in {"msrp", "units"} else _NO_STEP


@lru_cache(maxsize=50_000)
def _step(old_value: str | None, new_value: str | None) -> tuple[Decimal, Decimal | None]:
    """Each pair once: a price change is asked for its step when it is sorted, summed and shown, and pairs repeat."""
    try:
        old, new = Decimal(old_value or ""), Decimal(new_value or "")
    except InvalidOperation:
        return _NO_STEP
    # A number of this size is not a price.
    if not all(number.is_finite() and abs(number.adjusted()) < 15 for number in (old, new)):
        return _NO_STEP
    return new - old, ((new - old) / old * 100).quantize(Decimal("0.01")) if old else None


def _by_product(rows: Iterable[CatalogChange]) -> list[Entry]:
    """The facts of one product are one entry, at the place of its first; other objects stand for themselves."""
    entries: dict[tuple[str, str], list[CatalogChange]] = {}
    for row in rows:
        key = ("product", row.product_id) if row.product_id else (row.entity, row.entity_id)
        entries.setdefault(key, []).append(row)
    return list(entries.values())


def _stock_words(rows: Iterable[CatalogChange]) -> Mapping[tuple[str, str], str]:
    """What changed availabilities and statuses say now, by variant and field: `in`, `out`, `discontinued`."""
    known: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.entity == "variant" and row.field in {"availability", "status"}:
            known[row.entity_id, row.field] = _stock_word(row)
    return known


def _stock_word(row: CatalogChange) -> str:
    word = fold_state(row.new_value)
    known = {"in": IN_STOCK, "out": OUT_OF_STOCK, "discontinued": DISCONTINUED}
    return next((meaning for meaning, words in known.items() if word in words), word)


def _is_said_by_another(row: CatalogChange, stock_words: Mapping[tuple[str, str], str]) -> bool:
    if row.entity != "variant" or row.field not in {"availability", "status"}:
        return False
    if row.field == "status":
        return _stock_word(row) in {"in", "out"} and stock_words.get((row.entity_id, "availability")) == _stock_word(
            row
        )
    return _stock_word(row) == "out" and stock_words.get((row.entity_id, "status")) == "discontinued"
