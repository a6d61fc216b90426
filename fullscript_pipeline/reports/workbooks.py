"""Makes Excel workbooks with typed dates and numbers, whose texts are never formulas or links.

What does not belong here: which rows a workbook has.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

import xlsxwriter

from fullscript_pipeline.reports import formatting

_FORMULA = frozenset("=+-@|%＝＋－＠")
# The most characters that Excel accepts in a cell, rounded down.
LONGEST_CELL = 32_000
_NOT_XML = re.compile("[\ufffe\uffff]")
_USUAL_WIDTH = 14


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
                if isinstance(value, int):
                    sheet.write_number(number, place, value)
                elif isinstance(value, date) and value.year > 1900:
                    sheet.write_datetime(number, place, value, self._day)
                elif value is not None and (words := _cell_text(value)):
                    sheet.write_string(number, place, words, self._guarded if is_formula(words) else None)

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


def is_formula(plain: str) -> bool:
    """Whether a spreadsheet could take the text for a formula."""
    return plain.lstrip()[:1] in _FORMULA or plain.startswith(("\t", "\r", "\n"))


def _cell_text(value: object) -> str:
    """The value as text, cut to the length of a cell, without characters that XML does not allow."""
    return _NOT_XML.sub("", formatting.clean(str(value)))[:LONGEST_CELL]
