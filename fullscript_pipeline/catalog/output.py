"""Changes as text: JSON Lines with the contract's columns, CSV that no spreadsheet executes, a short terminal table.

What does not belong here: HTML (the reports room), choosing what to show (lanes.py).
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from decimal import Decimal, InvalidOperation

import orjson

from fullscript_pipeline.catalog.changes import CatalogChange
from fullscript_pipeline.catalog.lanes import Digest

# The contract's columns, in its order. Names beside the ids are for people: CSV and HTML have them too.
JSONL_COLUMNS = (
    "region",
    "changed_on",
    "entity",
    "entity_id",
    "product_id",
    "brand_id",
    "change",
    "field",
    "old_value",
    "new_value",
    "cosmetic",
    "active_plans",
)
CSV_COLUMNS = (*JSONL_COLUMNS, "entity_name", "product_name", "brand_name", "delta")
SMALL = 5
_FORMULA = frozenset("=+-@|%＝＋－＠")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_jsonl(changes: Iterable[CatalogChange]) -> Iterator[str]:
    """One JSON object a line, without line ends, no header."""
    for row in changes:
        values = asdict(row)
        yield orjson.dumps({name: values[name] for name in JSONL_COLUMNS}).decode()


def to_csv(changes: Iterable[CatalogChange], *, suppress_small: bool = False) -> str:
    """CSV with a header, formula-safe; `suppress_small` hides plan counts from 1 to 4 (files that leave the clinic)."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for row in changes:
        values = asdict(row) | {"delta": delta(row) or ""}
        if suppress_small:
            values["active_plans"] = plans(row)
        writer.writerow([_safe(values[name]) for name in CSV_COLUMNS])
    return file.getvalue()


def format_table(digest: Digest, *, most: int = 3) -> str:
    """Counts and the top of each lane, at most 40 lines however much changed."""
    lines = [title(digest)]
    if digest.held:
        return "\n".join([*lines, f"Held: {digest.held}"]) + "\n"
    if not digest.rows:
        lines.append("No changes.")
    for lane in digest.lanes:
        if lane.rows:
            lines.append(f"{lane.title}: {len(lane.rows):,}")
            lines += [f"  {_line(row, digest.variants_with(row))}" for row in lane.top(most)]
    if digest.rows:
        fields = ", ".join(f"{name} {number:,}" for name, number in digest.by_field[:8])
        lines.append(f"By field: {fields}")
    if digest.cosmetic:
        lines.append(
            f"Not listed: {_count(digest.cosmetic, 'rewriting')} of the same text (white space, case, entities)."
        )
    return "\n".join(lines) + "\n"


def title(digest: Digest) -> str:
    """`Catalog changes, US, 21 -> 22 Nov 2026, coverage 4,112 products seen`."""
    first, last = (f"{day.day} {_MONTHS[day.month - 1]} {day.year}" for day in (digest.from_day, digest.to_day))
    if (digest.from_day.year, digest.from_day.month) == (digest.to_day.year, digest.to_day.month):
        first = str(digest.from_day.day)
    return f"Catalog changes, {digest.region.upper()}, {first} → {last}, coverage {digest.coverage.sentence()}"


def delta(row: CatalogChange) -> str | None:
    """`+2.50 (+12.5 %)` where both values are numbers; None otherwise."""
    try:
        old, new = Decimal(row.old_value or ""), Decimal(row.new_value or "")
    except InvalidOperation:
        return None
    if not (old.is_finite() and new.is_finite()) or row.field not in {"msrp", "units"}:
        return None
    share = f" ({(new - old) / old * 100:+.1f} %)" if old else ""
    return f"{new - old:+f}{share}"


def plans(row: CatalogChange) -> str:
    """The number of active plans as files show it: counts from 1 to 4 could point at a patient."""
    return "under 5" if 0 < row.active_plans < SMALL else f"{row.active_plans}"


def _line(row: CatalogChange, variants: int) -> str:
    what = " | ".join(part for part in (row.brand_name, row.product_name, named(row)) if part)
    if row.field is None:
        told = f"{row.change} with {_count(variants, 'variant')}" if variants else row.change
    elif row.field == "description_html":
        told = "description_html changed"
    else:
        told = f"{row.field} {row.old_value or '(none)'} → {row.new_value or '(none)'}"
        told += f" {found}" if (found := delta(row)) else ""
    return f"{_short(what or row.entity_id, 58)}: {_short(told, 60)} [{row.active_plans} active plans]"


def named(row: CatalogChange) -> str | None:
    """What names the object beside its brand and product: a variant's name or SKU, another kind's name."""
    return None if row.entity in {"brand", "product"} else row.entity_name or row.entity_id


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
    return f"'{text}" if text.lstrip()[:1] in _FORMULA or text[:1] in "\t\r\n" else text
