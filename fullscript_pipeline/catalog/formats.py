"""Formats catalog changes as text: JSON Lines, CSV that no spreadsheet executes, tables for the terminal.

What does not belong here: HTML (the reports room), and which changes are listed (digest.py).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

import orjson

from fullscript_pipeline.catalog.changes import CatalogChange
from fullscript_pipeline.catalog.coverage import CoverageDay
from fullscript_pipeline.catalog.digest import Digest
from fullscript_pipeline.catalog.plan_counts import UNDER, is_hidden, plans_text, shown_plans
from fullscript_pipeline.catalog.product_history import ProductHistory
from fullscript_pipeline.catalog.schema import JSONL_COLUMNS
from fullscript_pipeline.catalog.sections import SECTIONS, Entry, Section, price_step, section_of
from fullscript_pipeline.plural import counted
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.spreadsheet_text import LONGEST_CELL, is_formula

# People read names, so ids come last. The mark at the beginning lets a spreadsheet read the file as UTF-8.
CSV_COLUMNS = (
    "section", "brand_name", "product_name", "entity_name", "change", "field", "old_value", "new_value", "delta",
    "delta_percent", "active_plans", "changed_on", "cosmetic", "region", "entity", "entity_id", "product_id",
    "brand_id",
)  # fmt: skip
BYTE_ORDER_MARK = "\ufeff"
# We write these cells ourselves, of digits and a sign. The guard against formulas would turn them into text.
_OWN_NUMBERS = frozenset({"delta", "delta_percent"})
_TITLES = dict(SECTIONS)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def to_jsonl(changes: Iterable[CatalogChange]) -> Iterator[str]:
    """One JSON object per line (schema.py), without line ends and without a header; a hidden plan count is null."""
    for row in changes:
        values = row._asdict() | {"active_plans": shown_plans(row.active_plans)}
        yield orjson.dumps({name: values[name] for name in JSONL_COLUMNS}).decode()


def to_csv(changes: Iterable[CatalogChange]) -> str:
    """CSV with a byte order mark and a header. No cell can start a formula."""
    file = io.StringIO()
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    for row in changes:
        values = row._asdict() | _difference(row)
        values |= {"section": _TITLES[section_of(row)], "active_plans": plans_text(row.active_plans)}
        writer.writerow([values[name] if name in _OWN_NUMBERS else _safe_cell(values[name]) for name in CSV_COLUMNS])
    return file.getvalue()


def format_table(digest: Digest) -> str:
    """Counts, and the first rows of each section: at most 40 lines, however much changed."""
    lines = [digest_title(digest)]
    most = 3 if sum(bool(section.entries) for section in digest.sections) < len(digest.sections) else 2
    if digest.held:
        return "\n".join([*lines, f"Held: {digest.held}"]) + "\n"
    if not digest.rows:
        lines.append("No changes.")
    if digest.coverage.first_seen:
        shown = counted(digest.coverage.first_seen, "product")
        lines.append(f"Not counted as new: {shown} seen for the first time that may have been there before.")
    for section in digest.sections:
        if section.entries:
            order = "largest" if section.key.startswith("price") else "first"
            shown = f", the {order} {most}" if len(section.entries) > most else ""
            lines.append(f"{section.title}: {len(section.entries):,}{shown}{_plans_sum_text(section, digest.region)}")
            lines += [f"  {_entry_line(entry, digest)}" for entry in section.top(most)]
    if digest.rows:
        fields = ", ".join(f"{name} {number:,}" for name, number in digest.by_field[:8])
        lines.append(f"By field: {fields}")
        if any(len(section.entries) > most for section in digest.sections):
            lines.append("For all changes use --format csv, jsonl or html.")
    if digest.cosmetic:
        lines.append(
            f"Not listed: {counted(digest.cosmetic, 'rewriting')} of the same text (white space, case, entities)."
        )
    return "\n".join(lines) + "\n"


def digest_title(digest: Digest) -> str:
    """`Catalog changes, US, 21 -> 22 Nov 2026, coverage 4,112 products seen`."""
    return f"{digest_heading(digest)}, coverage {digest.coverage.sentence()}"


def digest_heading(digest: Digest) -> str:
    """`Catalog changes, US, 21 -> 22 Nov 2026`."""
    first, last = map(_day, (digest.from_day, digest.to_day))
    if (digest.from_day.year, digest.from_day.month) == (digest.to_day.year, digest.to_day.month):
        first = str(digest.from_day.day)
    return f"Catalog changes, {digest.region.upper()}, {first} → {last}"


def delta_text(row: CatalogChange) -> str | None:
    """`+2.50 (+12.5 %)` if both values are numbers, otherwise None."""
    step, percent = price_step(row)
    if not step:
        return None
    return f"{step:+f}" + (f" ({percent:+.1f} %)" if percent is not None else "")


def price_change_percent(row: CatalogChange) -> Decimal | None:
    """The size of a price change in percent of the old price, without its sign.

    None if the change is not one of a price, or one of the two prices is missing or no number.
    """
    percent = price_step(row)[1] if row.field == "msrp" else None
    return None if percent is None else abs(percent)


def _difference(row: CatalogChange) -> dict[str, Decimal | None]:
    step, percent = price_step(row)
    return {"delta": step or None, "delta_percent": percent}


def plans_sum_text(section: Section, region: str) -> str | None:
    """`+45.60 CAD over active plans, one unit each` of a price section whose plans move the sum; otherwise None."""
    if not section.plans_sum:
        return None
    return f"{section.plans_sum:+,.2f} {REGIONS[region].currency} over active plans, one unit each"


def _plans_sum_text(section: Section, region: str) -> str:
    text = plans_sum_text(section, region)
    return f" ({text})" if text else ""


def _entry_line(entry: Entry, digest: Digest) -> str:
    row = entry[0]
    what = " | ".join(part for part in (row.brand_name, row.product_name, object_label(row)) if part)
    if len(entry) > 1:
        what = " | ".join(part for part in (row.brand_name, row.product_name) if part)
        text = ", ".join(dict.fromkeys(change.field or f"{change.entity} {change.change}" for change in entry))
    else:
        text = _change_text(row, digest)
    return f"{_short(what or row.entity_id, 58)}: {_short(text, 60)} [{_plans(row.active_plans)}]"


def _change_text(row: CatalogChange, digest: Digest) -> str:
    if row.field is None:
        variants = digest.variants_with(row)
        text = f"{row.change} with {counted(variants, 'variant')}" if variants else row.change
        successor = digest.successor_of(row)
        return f"{text}; same {successor.shared} as {successor.product_id}" if successor else text
    if row.field == "description_html":
        return "description_html changed"
    text = f"{row.field} {row.old_value or '(none)'} → {row.new_value or '(none)'}"
    return f"{text} {difference}" if (difference := delta_text(row)) else text


def object_label(row: CatalogChange) -> str | None:
    """The object's own name beside its brand and product: a variant's name or SKU, or the name of another kind."""
    return None if row.entity in {"brand", "product"} else row.entity_name or row.entity_id


def _plans(count: int) -> str:
    return f"{UNDER} active plans" if is_hidden(count) else counted(count, "active plan")


def _short(text: str, length: int) -> str:
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _safe_cell(value: object) -> str:
    """The value as a cell that a spreadsheet never executes: a text that could start a formula gets an apostrophe."""
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str):
        return text
    text = text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
    return f"'{text}" if is_formula(text) else text


def format_product_history(product: ProductHistory) -> str:
    """A product's history for the terminal: the product, its variants as last seen, and all its changes."""
    what = " | ".join(_short(part, 80) for part in (product.brand_name, product.name, product.product_id) if part)
    gone = "" if product.present else ", gone now"
    lines = [f"{product.region.upper()}: {what}", f"First seen {_day(product.first_seen_on)}{gone}."]
    for variant in product.variants:
        size = " ".join(part for part in (variant.units, variant.unit_of_measure) if part) or "size not given"
        facts = ", ".join(
            part for part in (size, variant.msrp and f"msrp {variant.msrp}", variant.availability) if part
        )
        state = "" if variant.present else " (gone)"
        lines.append(f"  variant {_short(variant.label or variant.variant_id, 40)}: {_short(facts, 80)}{state}")
    for event in product.events:
        about = "" if event.entity == "product" else f"{event.entity} {event.entity_name or event.entity_id}: "
        text = event.change
        if event.field is not None:
            text = (
                f"{event.field} {_short(event.old_value or '(none)', 60)} → {_short(event.new_value or '(none)', 60)}"
            )
            text += " (rewriting)" if event.cosmetic else ""
        lines.append(f"{_day(event.changed_on)}  {_short(about, 60)}{' ' if about else ''}{text}")
    return "\n".join(lines if product.events else [*lines, "Nothing has changed since."])


def format_coverage(region: str, observed: Sequence[date], coverage_days: Sequence[CoverageDay]) -> str:
    """The coverage of each day, and the sources read on the last one."""
    lines = [
        f"Catalog {region.upper()}: {counted(len(observed), 'day')} pulled, "
        f"{_day(observed[0])} to {_day(observed[-1])}."
    ]
    for coverage_day in coverage_days:
        coverage = coverage_day.coverage
        lines.append(f"  {coverage_day.day}  {coverage.sentence()}, {counted(coverage.variants, 'variant')}")
    lines.append(f"Sources on {coverage_days[-1].day}:")
    for pull in coverage_days[-1].pulls:
        who = f" of {pull.clinic_key}" if pull.clinic_key else ""
        text = (
            counted(pull.rows, "row")
            if pull.outcome == "loaded"
            else f"{pull.outcome}: {_short(pull.reason or '', 120)}"
        )
        lines.append(f"  {pull.resource}{who}: {text}")
    return "\n".join(lines)


def _day(value: date) -> str:
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
