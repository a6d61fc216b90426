"""Reads an Excel workbook without a spreadsheet library: what kind each cell is, and what it holds.

What does not belong here: expectations.
"""

import io
import zipfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

_XML = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_EXCELS_DAY_ZERO = date(1899, 12, 30)


class Cell(NamedTuple):
    """Kind: "s" a text, "n" a number, "f" a formula; and the value as written."""

    kind: str
    value: str

    @property
    def day(self) -> date:
        """The day that a number stands for."""
        assert self.kind == "n", "a date is a number"
        return _EXCELS_DAY_ZERO + timedelta(days=int(self.value))


Row = Mapping[str, Cell]


def read_sheets(content: bytes | Path) -> dict[str, list[Row]]:
    """The rows of each sheet by its name: cells by their column's letters."""
    data = content if isinstance(content, bytes) else content.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert not any("vbaProject" in name or "externalLink" in name for name in book.namelist())
        texts = [_text(found) for found in _parsed(book, "xl/sharedStrings.xml").iter(f"{_XML}si")]
        names = [sheet.get("name", "") for sheet in _parsed(book, "xl/workbook.xml").iter(f"{_XML}sheet")]
        sheets: dict[str, list[Row]] = {}
        for number, name in enumerate(names, start=1):
            path = f"xl/worksheets/sheet{number}.xml"
            assert b"hyperlink" not in book.read(path)
            rows = _parsed(book, path).iter(f"{_XML}row")
            sheets[name] = [
                {cell.get("r", "").rstrip("0123456789"): _cell(cell, texts) for cell in row.iter(f"{_XML}c")}
                for row in rows
            ]
    return sheets


def read_tables(content: bytes | Path) -> dict[str, list[Row]]:
    """The rows of each sheet below its header, by the header's words."""
    return {
        name: [{rows[0][letters].value: cell for letters, cell in row.items()} for row in rows[1:]]
        for name, rows in read_sheets(content).items()
        if rows
    }


def sentences(content: bytes | Path, sheet: str = "about") -> str:
    """All texts of a sheet."""
    return " ".join(cell.value for row in read_sheets(content)[sheet] for cell in row.values())


def _parsed(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    return ElementTree.fromstring(book.read(name))  # noqa: S314 -- our own file


def _text(found: ElementTree.Element) -> str:
    return "".join(part.text or "" for part in found.iter(f"{_XML}t"))


def _cell(found: ElementTree.Element, texts: list[str]) -> Cell:
    if found.find(f"{_XML}f") is not None:
        return Cell("f", "")
    value = found.findtext(f"{_XML}v") or ""
    return Cell("s", texts[int(value)]) if found.get("t") == "s" else Cell("n", value)
