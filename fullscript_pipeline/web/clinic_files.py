"""What the pipeline wrote of a clinic for the portal: the list of everybody (`portal.json`) and the pages beside it.

What does not belong here: who may see what (`visitors`), HTML of our own (`templating`).
"""

import re
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.portal_store import PageSeal

VERSION = 1
_PART = r"[a-z0-9][a-z0-9_-]*"
# Two folders deep, with no way up and no hidden file.
_SERVED = re.compile(rf"({_PART}/){{0,3}}[a-z0-9][a-z0-9._-]*\.(html|csv|xlsx|json|jsonl|atom)")
_FILE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCall:
    """Why a patient is on the call list, in the words of the pages."""

    days: int
    waits: str
    verdict: str
    product: str
    others: int
    step: str
    set_aside_until: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPatient:
    """A patient as the portal lists them. `words`: what a search looks in."""

    id: str
    file: str
    has_page: bool
    name: str
    sort_name: str
    born: str | None
    archived: bool
    practitioner_ids: Sequence[str]
    practitioner: str
    contact: str | None
    guardian: str | None
    external_id: str | None
    plans: Sequence[str]
    call: ListedCall | None
    words: str

    def matches(self, words: Sequence[str]) -> bool:
        """Whether every (folded) word is in the name, the birth date or the clinic's own id."""
        return all(word in self.words for word in words)


@dataclass(frozen=True, kw_only=True)
class ClinicFiles:
    """The files of one clinic."""

    folder: Path
    clinic_id: str
    clinic_key: str
    region: str
    name: str
    data_as_of: str
    stale: str | None
    practitioners: Mapping[str, str]
    patients: Mapping[str, ListedPatient]

    def are_all(self, visible: frozenset[str] | None) -> bool:
        """Whether the patients whom a user may see (None: everybody) are all that have pages."""
        return visible is None or visible >= self.patients.keys()

    def patient(self, named: str) -> ListedPatient | None:
        """The patient of this id, or of this page's file name, which pages link to."""
        file = named.removesuffix(".html")
        return self.patients.get(named) or next((row for row in self.patients.values() if row.file == file), None)

    def patient_page(self, patient: ListedPatient) -> Path | None:
        path = self.folder / "patients" / f"{patient.file}.html"
        return path if _FILE.fullmatch(patient.file) and path.is_file() else None

    def list_page(self, path: str) -> Path | None:
        """A list of the clinic, or a spreadsheet: what names several people."""
        return None if path.startswith(("patients/", "portal")) else served_file(self.folder, path)


class AllClinicFiles:
    """The clinics that the pipeline wrote pages of, plain or sealed; a changed file is read again."""

    def __init__(self, reports: Path, seal: PageSeal) -> None:
        self._reports, self.seal = reports, seal
        self._read: dict[Path, tuple[tuple[int, int], ClinicFiles]] = {}
        self._lock = threading.Lock()

    def of_clinic_id(self, region: str, clinic_id: str) -> ClinicFiles | None:
        return next((files for files in self._all() if (files.region, files.clinic_id) == (region, clinic_id)), None)

    def of_clinic_key(self, clinic_key: str) -> ClinicFiles | None:
        return next((files for files in self._all() if files.clinic_key == clinic_key), None)

    def keys(self) -> frozenset[str]:
        """The keys of the clinics that have pages."""
        return frozenset(files.clinic_key for files in self._all())

    def catalog_regions(self) -> list[str]:
        """The regions whose catalog has pages."""
        return sorted(path.parent.name for path in (self._reports / "catalog").glob("*/index.html"))

    def catalog_page(self, region: str, path: str) -> Path | None:
        """A page of the catalog of a region."""
        return served_file(self._reports / "catalog" / region, path)

    def read(self, path: Path) -> bytes:
        """What a page or spreadsheet holds. Raises ConfigurationError for a sealed one of another key."""
        return self.seal.open(path.read_bytes(), path.relative_to(self._reports).as_posix())

    def _all(self) -> list[ClinicFiles]:
        found = []
        for path in sorted((self._reports / "clinics").glob("*/portal.json")):
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            with self._lock:
                if path not in self._read or self._read[path][0] != stamp:
                    files = self._parse(path)
                    if files is None:
                        continue
                    self._read[path] = (stamp, files)
                found.append(self._read[path][1])
        return found

    def _parse(self, path: Path) -> ClinicFiles | None:
        """None also for a file that is being replaced."""
        try:
            return _parsed(path, self.read(path))
        except OSError:
            return None


def served_file(folder: Path, path: str) -> Path | None:
    """The file of this path below the folder, if it is one that is served."""
    if not _SERVED.fullmatch(path):
        return None
    file = folder / path
    return file if file.resolve().is_relative_to(folder.resolve()) and file.is_file() else None


def fold(text: str) -> str:
    """The text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def _parsed(path: Path, text: bytes) -> ClinicFiles | None:
    """None for a file of another version."""
    try:
        content = parse_json(text)
        if content["version"] != VERSION:
            return None
        patients = [_patient(row) for row in content["patients"]]
        return ClinicFiles(
            folder=path.parent,
            clinic_id=content["clinic_id"],
            clinic_key=content["clinic_key"],
            region=content["region"],
            name=content["name"] or content["clinic_key"],
            data_as_of=content["data_as_of"],
            stale=content["stale"],
            practitioners=content["practitioners"],
            patients={patient.id: patient for patient in patients},
        )
    except (ValueError, KeyError, TypeError):
        return None


def _patient(row: Mapping[str, Any]) -> ListedPatient:
    texts = [row["name"], row["sort_name"], row["born"], row["born_on"], row["external_id"]]
    fields = {name: row[name] for name in ListedPatient.__slots__ if name in row and name != "call"}
    call = ListedCall(**row["call"]) if row["call"] else None
    return ListedPatient(**fields, call=call, words=fold(" ".join(text for text in texts if text)))
