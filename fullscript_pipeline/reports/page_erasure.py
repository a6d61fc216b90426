"""Takes a clinic's pages away, or one person out of the pages kept of earlier days.

What does not belong here: writing the present pages again (`adherence.py`).
"""

import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from fullscript_pipeline.reports.store import ReportStore, file_id


def remove_clinic_pages(store: ReportStore, clinic_key: str) -> int:
    """Removes the clinic's present pages, lists of names and spreadsheets included; the number of files."""
    return _removed(store.path_for_clinic(clinic_key).parent)


def remove_pages_of_earlier_days(store: ReportStore, clinic_key: str) -> int:
    """Removes the clinic's pages as of earlier days, which name everybody; `report --as-of` makes one again."""
    return sum(remove_clinic_pages(store.of_day(day), clinic_key) for day in store.earlier_days())


def remove_kept_pages(store: ReportStore, clinic_key: str) -> int:
    """Removes the clinic's pages of earlier days; the number of files."""
    return _removed(_kept(store, clinic_key))


def forget_in_kept_pages(store: ReportStore, clinic_key: str, patient_id: str) -> int:
    """Takes the person's page, and every list that names them, out of the kept days; the number of pages.

    A list links to each person's page, and a spreadsheet has a column for it, so whoever is there is found by id.
    """
    return sum(_rewritten(path, patient_id) for path in _kept(store, clinic_key).glob("*.zip"))


def kept_pages_of(store: ReportStore, clinic_key: str, patient_id: str) -> list[Path]:
    """The kept days that hold the person's page, or a list that names them."""
    return [path for path in sorted(_kept(store, clinic_key).glob("*.zip")) if _naming(path, patient_id)[1]]


def _naming(path: Path, patient_id: str) -> tuple[dict[str, bytes], set[str]]:
    """The pages of a kept day, and the names of those that are the person's or name them."""
    needles = [one.encode() for one in (file_id(patient_id), patient_id)]
    with zipfile.ZipFile(path) as archive:
        pages = {name: archive.read(name) for name in archive.namelist()}
    return pages, {
        name
        for name, page in pages.items()
        if any(one in content for one in needles for content in (name.encode(), *_unpacked(page)))
    }


def _kept(store: ReportStore, clinic_key: str) -> Path:
    return store.root / "kept" / file_id(clinic_key)


def _removed(folder: Path) -> int:
    files = sum(path.is_file() for path in folder.rglob("*"))
    shutil.rmtree(folder, ignore_errors=True)
    return files


def _rewritten(path: Path, patient_id: str) -> int:
    pages, naming = _naming(path, patient_id)
    if not naming:
        return 0
    kept = {name: page for name, page in pages.items() if name not in naming}
    temporary = path.with_name(f".writing-{path.name}")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, page in kept.items():
            archive.writestr(name, page)
    temporary.replace(path)
    return len(pages) - len(kept)


def _unpacked(page: bytes) -> Iterator[bytes]:
    """The page itself, or what is packed in it: a workbook is an archive."""
    if not page.startswith(b"PK"):
        yield page
        return
    with zipfile.ZipFile(io.BytesIO(page)) as archive:
        yield from (archive.read(name) for name in archive.namelist())
