"""Makes Excel workbooks with typed dates and numbers, whose texts are never formulas or links.

What does not belong here: which rows a workbook has.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

import xlsxwriter

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.spreadsheet_text import LONGEST_CELL, is_formula

_NOT_XML = re.compile("[\ufffe\uffff]")
_USUAL_WIDTH = 14
# Excel counts a 29 Feb 1900 that was none; days after it are right by this one.
_DAY_ZERO = date(1899, 12, 30)


class SafeWorkbook:
    """A workbook of tables; `content` ends it."""

    def __init__(self, title: str, made_at: datetime) -> None:
        self._file = io.BytesIO()
        # In memory, because the library's temporary files would hold unencrypted health data.
        options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(self._file, options)
        self._book.set_properties({"created": made_at.replace(tzinfo=None), "title": title})
        self._bold = self._book.add_format({"bold": True})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        # The cell stays text even after a user edits it.
        self._guarded = self._book.add_format({"quote_prefix": True})

    def add_table(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        widths: Mapping[str, int],
    ) -> None:
        """A sheet with a header that stays in view and can be filtered; `widths`: by column, in characters."""
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, max(1, len(rows)), len(columns) - 1)
        for place, column in enumerate(columns):
            sheet.write_string(0, place, column, self._bold)
            sheet.set_column(place, place, widths.get(column, _USUAL_WIDTH))
        for number, row in enumerate(rows, start=1):
            for place, value in enumerate(row):
                if value is None:
                    continue
                if isinstance(value, str):
                    words, is_guarded = _text_cell(value)
                    if words:
                        sheet.write_string(number, place, words, self._guarded if is_guarded else None)
                elif isinstance(value, (int, Decimal)):
                    sheet.write_number(number, place, value)
                elif isinstance(value, date) and value.year > 1900:
                    sheet.write_number(number, place, _serial(value), self._day)
                else:
                    sheet.write_string(number, place, _cell_text(value))

    def add_sentences(self, name: str, sentences: Iterable[str]) -> None:
        """A sheet with a sentence per row."""
        sheet = self._book.add_worksheet(name)
        sheet.set_column(0, 0, 120)
        for number, sentence in enumerate(sentences):
            sheet.write_string(number, 0, _cell_text(sentence))

    def content(self) -> bytes:
        """The file; the workbook takes nothing more."""
        self._book.close()
        return self._file.getvalue()


@lru_cache(maxsize=20_000)
def _serial(day: date) -> int:
    """The day as Excel counts days."""
    return (day - _DAY_ZERO).days


@lru_cache(maxsize=20_000)
def _text_cell(value: str) -> tuple[str, bool]:
    """The text of a cell, and whether it could start a formula."""
    words = _cell_text(value)
    return words, is_formula(words)


def _cell_text(value: object) -> str:
    """The value as text, cut to the length of a cell, without characters that XML does not allow."""
    return _NOT_XML.sub("", formatting.clean(str(value)))[:LONGEST_CELL]
