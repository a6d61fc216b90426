"""Changes as text: JSON Lines with the contract's columns, CSV that no spreadsheet executes, a short terminal table.

What does not belong here: HTML (the reports room), choosing what to show (digest.py).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

import orjson

from fullscript_pipeline.catalog.changes import CatalogChange
from fullscript_pipeline.catalog.coverage import CoverageDay
from fullscript_pipeline.catalog.digest import Digest
from fullscript_pipeline.catalog.product_history import Life
from fullscript_pipeline.catalog.schema import JSONL_COLUMNS
from fullscript_pipeline.plural import counted

# Names beside the ids are for people: CSV and HTML have them too.
CSV_COLUMNS = (*JSONL_COLUMNS, "entity_name", "product_name", "brand_name", "delta", "delta_percent")
SMALL = 5
# What a spreadsheet's cell takes; JSON Lines have the whole text.
LONGEST_CELL = 32_000
# Made here, of digits and a sign: a guard would turn a number into text.
_OWN_NUMBERS = frozenset({"delta", "delta_percent"})
_FORMULA = frozenset("=+-@|%＝＋－＠")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_jsonl(changes: Iterable[CatalogChange], *, suppress_small: bool = False) -> Iterator[str]:
    """One JSON object a line (schema.py), without line ends, no header; `suppress_small` as in `to_csv`, as null."""
    for row in changes:
        values = row._asdict()
        if suppress_small and 0 < row.active_plans < SMALL:
            values["active_plans"] = None
        yield orjson.dumps({name: values[name] for name in JSONL_COLUMNS}).decode()


def to_csv(changes: Iterable[CatalogChange], *, suppress_small: bool = False) -> str:
    """CSV with a header, formula-safe; `suppress_small` hides plan counts from 1 to 4 (files that leave the clinic)."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for row in changes:
        values = row._asdict() | dict(zip(("delta", "delta_percent"), _moved(row), strict=True))
        if suppress_small:
            values["active_plans"] = plans(row)
        writer.writerow([values[name] if name in _OWN_NUMBERS else _safe(values[name]) for name in CSV_COLUMNS])
    return file.getvalue()


def format_table(digest: Digest, *, most: int = 3) -> str:
    """Counts and the top of each lane, at most 40 lines however much changed."""
    lines = [title(digest)]
    if digest.held:
        return "\n".join([*lines, f"Held: {digest.held}"]) + "\n"
    if not digest.rows:
        lines.append("No changes.")
    if digest.coverage.first_seen:
        shown = counted(digest.coverage.first_seen, "product")
        lines.append(f"Not counted as new: {shown} seen for the first time that may have been there before.")
    for lane in digest.lanes:
        if lane.rows:
            shown = f", the first {most} by active plans" if len(lane.rows) > most else ""
            lines.append(f"{lane.title}: {len(lane.rows):,}{shown}")
            lines += [f"  {_line(row, digest.variants_with(row))}" for row in lane.top(most)]
    if digest.rows:
        fields = ", ".join(f"{name} {number:,}" for name, number in digest.by_field[:8])
        lines.append(f"By field: {fields}")
        if any(len(lane.rows) > most for lane in digest.lanes):
            lines.append("All of them: --format csv, jsonl or html.")
    if digest.cosmetic:
        lines.append(
            f"Not listed: {counted(digest.cosmetic, 'rewriting')} of the same text (white space, case, entities)."
        )
    return "\n".join(lines) + "\n"


def title(digest: Digest) -> str:
    """`Catalog changes, US, 21 -> 22 Nov 2026, coverage 4,112 products seen`."""
    first, last = map(_day, (digest.from_day, digest.to_day))
    if (digest.from_day.year, digest.from_day.month) == (digest.to_day.year, digest.to_day.month):
        first = str(digest.from_day.day)
    return f"Catalog changes, {digest.region.upper()}, {first} → {last}, coverage {digest.coverage.sentence()}"


def delta(row: CatalogChange) -> str | None:
    """`+2.50 (+12.5 %)` where both values are numbers; None otherwise."""
    step, percent = _moved(row)
    if step is None:
        return None
    return f"{step:+f}" + (f" ({percent:+.1f} %)" if percent is not None else "")


def price_step(row: CatalogChange) -> Decimal | None:
    """By how many percent of the old price a price moved, either way; None for anything else and from or to nothing."""
    percent = _moved(row)[1] if row.field == "msrp" else None
    return None if percent is None else abs(percent)


def _moved(row: CatalogChange) -> tuple[Decimal | None, Decimal | None]:
    """Difference and percent of a price or a size; None where a value is no number or the old one is zero."""
    if row.field not in {"msrp", "units"}:
        return None, None
    try:
        old, new = Decimal(row.old_value or ""), Decimal(row.new_value or "")
    except InvalidOperation:
        return None, None
    # Beyond these sizes a text is no price, and arithmetic on it no information.
    if not all(one.is_finite() and abs(one.adjusted()) < 15 for one in (old, new)):
        return None, None
    return new - old, ((new - old) / old * 100).quantize(Decimal("0.01")) if old else None


def plans(row: CatalogChange) -> str:
    """The number of active plans as files show it: counts from 1 to 4 could point at a patient."""
    return "under 5" if 0 < row.active_plans < SMALL else f"{row.active_plans}"


def _line(row: CatalogChange, variants: int) -> str:
    what = " | ".join(part for part in (row.brand_name, row.product_name, named(row)) if part)
    if row.field is None:
        told = f"{row.change} with {counted(variants, 'variant')}" if variants else row.change
    elif row.field == "description_html":
        told = "description_html changed"
    else:
        told = f"{row.field} {row.old_value or '(none)'} → {row.new_value or '(none)'}"
        told += f" {found}" if (found := delta(row)) else ""
    return f"{_short(what or row.entity_id, 58)}: {_short(told, 60)} [{counted(row.active_plans, 'active plan')}]"


def named(row: CatalogChange) -> str | None:
    """What names the object beside its brand and product: a variant's name or SKU, another kind's name."""
    return None if row.entity in {"brand", "product"} else row.entity_name or row.entity_id


def _short(text: str, length: int) -> str:
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _safe(value: object) -> str:
    """A cell that a spreadsheet shows and never runs: what could start a formula gets an apostrophe."""
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str):
        return text
    text = text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
    return f"'{text}" if text.lstrip()[:1] in _FORMULA or text.startswith(("\t", "\r", "\n")) else text


def life_text(life: Life) -> str:
    """A product's life for the terminal: what it is, its variants as last seen, everything that happened to it."""
    what = " | ".join(_short(part, 80) for part in (life.brand_name, life.name, life.product_id) if part)
    gone = "" if life.present else ", gone now"
    lines = [f"{life.region.upper()}: {what}", f"First seen {_day(life.first_seen_on)}{gone}."]
    for one in life.variants:
        size = " ".join(part for part in (one.units, one.unit_of_measure) if part) or "size not told"
        facts = ", ".join(part for part in (size, one.msrp and f"msrp {one.msrp}", one.availability) if part)
        state = "" if one.present else " (gone)"
        lines.append(f"  variant {_short(one.label or one.variant_id, 40)}: {_short(facts, 80)}{state}")
    for event in life.events:
        about = "" if event.entity == "product" else f"{event.entity} {event.entity_name or event.entity_id}: "
        told = event.change
        if event.field is not None:
            told = (
                f"{event.field} {_short(event.old_value or '(none)', 60)} → {_short(event.new_value or '(none)', 60)}"
            )
            told += " (rewriting)" if event.cosmetic else ""
        lines.append(f"{_day(event.changed_on)}  {_short(about, 60)}{' ' if about else ''}{told}")
    return "\n".join(lines if life.events else [*lines, "Nothing has changed since."])


def coverage_table(region: str, observed: Sequence[date], found: Sequence[CoverageDay]) -> str:
    """How much was seen on each day, and the doors of the last one."""
    lines = [
        f"Catalog {region.upper()}: {counted(len(observed), 'day')} pulled, "
        f"{_day(observed[0])} to {_day(observed[-1])}."
    ]
    for one in found:
        lines.append(f"  {one.day}  {one.coverage.sentence()}, {counted(one.coverage.variants, 'variant')}")
    lines.append(f"Doors on {found[-1].day}:")
    for door in found[-1].doors:
        who = f" of {door.clinic_key}" if door.clinic_key else ""
        told = (
            counted(door.rows, "row")
            if door.outcome == "loaded"
            else f"{door.outcome}: {_short(door.reason or '', 120)}"
        )
        lines.append(f"  {door.resource}{who}: {told}")
    return "\n".join(lines)


def _day(value: date) -> str:
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
