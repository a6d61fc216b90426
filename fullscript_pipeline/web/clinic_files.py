"""What the pipeline wrote of a clinic for the portal: the list of everybody (`portal.json`) and the pages beside it.

What does not belong here: who may see what (`visitors`), HTML of our own (`templating`).
"""

import re
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fullscript_pipeline.errors import Busy
from fullscript_pipeline.files import Files
from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.portal_store import PageSeal

VERSION = 1
_PART = r"[a-z0-9][a-z0-9_-]*"
# Two folders deep, with no way up and no hidden file.
_SERVED = re.compile(rf"({_PART}/){{0,3}}[a-z0-9][a-z0-9._-]*\.(html|csv|xlsx|json|jsonl|atom)")
_FIRST = "index.html"
# A bucket is looked through this often at most.
_LOOK_SECONDS = 2.0
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
    """The files of one clinic. `folder`: the name of their folder."""

    pages: Files
    folder: str
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

    def patient_page(self, patient: ListedPatient) -> PurePosixPath | None:
        """The name of the patient's page."""
        name = f"{self.folder}/patients/{patient.file}.html"
        return PurePosixPath(name) if _FILE.fullmatch(patient.file) and self.pages.exists(name) else None

    def list_page(self, path: str) -> PurePosixPath | None:
        """The name of a list of the clinic, or of a spreadsheet: what names several people."""
        return None if path.startswith(("patients/", "portal")) else _served(self.pages, self.folder, path)


class AllClinicFiles:
    """The clinics that the pipeline wrote pages of, plain or sealed; a changed file is read again.

    In a folder at once; in a bucket, where each look is a request, after two seconds at most.
    """

    def __init__(self, pages: Files, seal: PageSeal, now: Callable[[], float] = time.monotonic) -> None:
        self._pages, self.seal, self._now = pages, seal, now
        self._read: dict[str, tuple[str, ClinicFiles]] = {}
        self._looked: tuple[float, list[ClinicFiles]] | None = None
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
        regions = self._pages.folders("catalog")
        return [region for region in regions if self._pages.exists(f"catalog/{region}/{_FIRST}")]

    def catalog_page(self, region: str, path: str) -> PurePosixPath | None:
        """The name of a page of the catalog of a region."""
        return _served(self._pages, f"catalog/{region}", path) if _FILE.fullmatch(region) else None

    def read(self, name: PurePosixPath) -> bytes:
        """What a page or spreadsheet holds.

        Raises ConfigurationError for a sealed one of another key, Busy for one that was removed meanwhile.
        """
        if (content := self._pages.get(str(name))) is None:
            raise Busy("A page was removed while somebody opened it.")
        return self.seal.open(content, str(name))

    def _all(self) -> list[ClinicFiles]:
        before = self._looked
        if before and (self._now() < before[0] or self._lock.locked()):
            # One looks, the others go on with what was found last: a bucket may need a minute to fail.
            return before[1]
        with self._lock:
            if self._looked and self._now() < self._looked[0]:
                return self._looked[1]
            folders = [f"clinics/{folder}" for folder in self._pages.folders("clinics")]
            found = [files for folder in folders if (files := self._current(folder))]
            self._looked = (self._now() + (0 if self._pages.is_local else _LOOK_SECONDS), found)
            return found

    def _current(self, folder: str) -> ClinicFiles | None:
        """None for a folder without a list, or with one of another version."""
        name = f"{folder}/portal.json"
        if (version := self._pages.version(name)) is None:
            return None
        if name not in self._read or self._read[name][0] != version:
            content = self._pages.get(name)
            files = _parsed(self._pages, folder, self.seal.open(content, name)) if content else None
            if files is None:
                return None
            self._read[name] = (version, files)
        return self._read[name][1]


def _served(pages: Files, folder: str, path: str) -> PurePosixPath | None:
    """The name of the file of this path below the folder, if it is one that is served."""
    name = f"{folder}/{path}"
    if not _SERVED.fullmatch(path) or not pages.exists(name):
        return None
    # A link among the files of this machine may lead out of the folder.
    is_below = not pages.is_local or Path(pages.address(name)).resolve().is_relative_to(
        Path(pages.address(folder)).resolve()
    )
    return PurePosixPath(name) if is_below else None


def fold(text: str) -> str:
    """The text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def _parsed(pages: Files, folder: str, text: bytes) -> ClinicFiles | None:
    """None for a file of another version."""
    try:
        content = parse_json(text)
        if content["version"] != VERSION:
            return None
        patients = [_patient(row) for row in content["patients"]]
        return ClinicFiles(
            pages=pages,
            folder=folder,
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
