"""Deletes a clinic's pages, or a person's pages from the archive of earlier days.

What does not belong here: writing the present pages again (`adherence.py`).
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from fullscript_pipeline.reports.page_archive import write_archive
from fullscript_pipeline.reports.store import ReportStore, file_id

# The end of a ZIP file with nothing in it: the day was removed a moment ago.
_EMPTY = b"PK\5\6" + bytes(18)


def remove_clinic_pages(store: ReportStore, clinic_key: str) -> int:
    """Deletes the clinic's present pages, call lists and spreadsheets included. Returns the number of files."""
    return store.remove_folder(store.path_for_clinic(clinic_key).parent)


def remove_pages_of_earlier_days(store: ReportStore, clinic_key: str) -> int:
    """Deletes the clinic's pages as of earlier days, which name every patient. `report --as-of` writes a day again."""
    return sum(remove_clinic_pages(store.of_day(day), clinic_key) for day in store.earlier_days())


def remove_archived_pages(store: ReportStore, clinic_key: str) -> int:
    """Deletes the clinic's archived pages. Returns the number of files."""
    return store.remove_folder(_archive_folder(store, clinic_key))


def erase_patient_from_archive(store: ReportStore, clinic_key: str, patient_id: str) -> int:
    """Deletes the person's page, and every list that names them, from the archived days. Returns the number of pages.

    A list links to each person's page and a spreadsheet has an id column, so a search for the id finds the person.
    """
    return sum(
        _rewrite_without(store, path, _pages_naming(store, clinic_key, path, patient_id=patient_id))
        for path in store.in_folder(_archive_folder(store, clinic_key), ".zip")
    )


def archived_days_naming(store: ReportStore, clinic_key: str, patient_id: str) -> list[Path]:
    """The archives of the days that hold the person's page, or a list that names them."""
    return [
        path
        for path in store.in_folder(_archive_folder(store, clinic_key), ".zip")
        if _pages_naming(store, clinic_key, path, patient_id=patient_id)[1]
    ]


def _pages_naming(
    store: ReportStore, clinic_key: str, path: Path, *, patient_id: str
) -> tuple[dict[str, bytes], set[str]]:
    """The pages of an archived day, and the file names of those that are the person's or name them."""
    folder = store.path_for_clinic(clinic_key).parent
    needles = [needle.encode() for needle in (file_id(patient_id), patient_id)]
    with zipfile.ZipFile(io.BytesIO(store.stored(path) or _EMPTY)) as archive:
        pages = {name: archive.read(name) for name in archive.namelist()}
    return pages, {
        name
        for name, page in pages.items()
        if any(
            needle in content
            for needle in needles
            for content in (name.encode(), *_unpacked(store.opened(page, folder / name)))
        )
    }


def _archive_folder(store: ReportStore, clinic_key: str) -> Path:
    return store.root / "kept" / file_id(clinic_key)


def _rewrite_without(store: ReportStore, path: Path, found: tuple[dict[str, bytes], set[str]]) -> int:
    pages, naming = found
    if not naming:
        return 0
    remaining = {name: page for name, page in pages.items() if name not in naming}
    write_archive(store, path, remaining.items())
    return len(pages) - len(remaining)


def _unpacked(page: bytes) -> Iterator[bytes]:
    """The page itself, or the files in it if it is a workbook, which is a ZIP file."""
    if not page.startswith(b"PK"):
        yield page
        return
    with zipfile.ZipFile(io.BytesIO(page)) as archive:
        yield from (archive.read(name) for name in archive.namelist())
