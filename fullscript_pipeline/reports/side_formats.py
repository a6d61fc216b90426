"""The comparison of two catalogs as text for the terminal, CSV, JSON Lines and an Excel workbook.

What does not belong here: comparing (the catalog room).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation

import orjson

from fullscript_pipeline.catalog import BYTE_ORDER_MARK, SideComparison, SideDifference
from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.export import safe_cell
from fullscript_pipeline.reports.workbooks import SafeWorkbook

COLUMNS = (
    "what", "brand", "product", "variant", "size", "left", "left_currency", "right", "right_currency", "percent",
    "sku", "upc", "matched_by", "key",
)  # fmt: skip
_WIDTHS = {"brand": 24, "product": 36, "variant": 24, "left": 24, "right": 24, "key": 38}
_SHOWN = 5


def sides_table(comparison: SideComparison) -> str:
    """Counts, and the first rows of each kind."""
    left, right = comparison.left, comparison.right
    lines = [
        f"Left: {left.label}, {counted(len(left.variants), 'variant')}. Right: {right.label}, "
        f"{counted(len(right.variants), 'variant')}. {comparison.shared:,} on both, matched by "
        f"{comparison.matched_by.upper() if comparison.matched_by != 'id' else 'id'}.",
        *_unmatched_lines(comparison),
    ]
    for what, number in comparison.counts.items():
        rows = [row for row in comparison.differences if row.what == what]
        shown = f", the first {_SHOWN}" if number > _SHOWN else ""
        lines.append(f"{what[0].upper()}{what[1:]}: {number:,}{shown}")
        lines += [f"  {_line(row)}" for row in rows[:_SHOWN]]
    return "\n".join(lines if comparison.differences else [*lines, "No differences."])


def sides_csv(comparison: SideComparison) -> str:
    """CSV with a byte order mark; no cell can start a formula."""
    file = io.StringIO()
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    # We write the percent ourselves: the guard against formulas would turn a minus into text.
    place = COLUMNS.index("percent")
    for cells in _rows(comparison):
        safe = [str(cell or "") if at == place else safe_cell(cell) for at, cell in enumerate(cells)]
        writer.writerow(safe)
    return file.getvalue()


def sides_jsonl(comparison: SideComparison) -> Iterator[str]:
    """One JSON object per difference, with the columns of the CSV."""
    for cells in _rows(comparison):
        yield orjson.dumps(dict(zip(COLUMNS, cells, strict=True)), default=str).decode()


def sides_workbook(comparison: SideComparison, made_at: datetime) -> bytes:
    """A sheet per kind of difference, and one that says what was compared."""
    book = SafeWorkbook("Two catalogs compared", made_at)
    for what in comparison.counts:
        rows = [_typed(cells) for cells in _rows(comparison) if cells[0] == what]
        book.add_table(what, [column.replace("_", " ") for column in COLUMNS], rows, _WIDTHS)
    book.add_sentences("about", sides_table(comparison).splitlines()[:2])
    return book.content()


def _rows(comparison: SideComparison) -> Iterable[tuple[object, ...]]:
    for row in comparison.differences:
        variant = row.variant
        yield (
            row.what,
            variant.brand,
            variant.product,
            variant.name,
            variant.size,
            row.left,
            row.left_currency,
            row.right,
            row.right_currency,
            row.percent,
            variant.sku,
            variant.upc,
            comparison.matched_by,
            row.key,
        )


def _typed(cells: Sequence[object]) -> list[object]:
    """Prices as numbers: the cells that have a currency beside them."""
    values = list(cells)
    for name in ("left", "right"):
        place = COLUMNS.index(name)
        if values[place + 1] is not None:
            try:
                values[place] = Decimal(str(values[place]))
            except InvalidOperation:
                continue
    return values


def _unmatched_lines(comparison: SideComparison) -> list[str]:
    if not any(comparison.unmatched):
        return []
    left, right = comparison.unmatched
    return [f"Not compared: {left:,} left and {right:,} right without a key of their own ({comparison.matched_by})."]


def _line(row: SideDifference) -> str:
    variant = row.variant
    names = [variant.brand, variant.product, variant.name or variant.sku, variant.size]
    what = formatting.shorten(formatting.clean(" | ".join(name for name in names if name) or row.key), 80)
    left, right = (_side_text(*pair) for pair in ((row.left, row.left_currency), (row.right, row.right_currency)))
    if row.what.startswith("only"):
        return f"{what}: {left or right}" if left or right else what
    percent = f" ({row.percent:+.1f} %)" if row.percent is not None else ""
    return f"{what}: {left or '(none)'} | {right or '(none)'}{percent}"


def _side_text(value: str | None, currency: str | None) -> str | None:
    if value is None:
        return None
    text = formatting.shorten(formatting.clean(value), 40)
    return f"{text} {currency}" if currency else text
