"""The files of pages: their names, and which of them are there.

File names hold opaque ids only, never a name or a date of birth. What does not belong here: the content of a page, and
how a file is kept (`files`).
"""

import hashlib
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Protocol

from fullscript_pipeline.file_names import is_device_name
from fullscript_pipeline.files import Files, FolderFiles

_SAFE = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
# Names that we use ourselves: a hashed id, a further page of a list, A to Z.
_TAKEN = re.compile(r"x-[0-9a-f]{24}|.*-page-[0-9]+|.*-a-z")


def file_id(opaque: str) -> str:
    """The id itself if it is a plain file name, otherwise its hash: `x-` and 24 hex digits of its SHA-256.

    Pages are copied to other file systems. So two ids have two names even where case is ignored (an id with a capital
    letter is hashed), and no name ends in a dot or is a device.
    """
    is_ours = _TAKEN.fullmatch(opaque) or is_device_name(opaque)
    if _SAFE.fullmatch(opaque) and not opaque.endswith(".") and not is_ours:
        return opaque
    return "x-" + hashlib.sha256(opaque.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _days(names: Iterable[str]) -> list[date]:
    """The days that are names, newest first. Other names are ignored."""
    days: list[date] = []
    for name in names:
        with suppress(ValueError):
            days.append(date.fromisoformat(name))
    return sorted(days, reverse=True)


class PageSealing(Protocol):
    """Encrypts and decrypts pages. `place`: the page's path below the top root."""

    def seal(self, content: bytes, place: str) -> bytes: ...
    def open(self, content: bytes, place: str) -> bytes: ...


class ReportStore:
    """Stores pages. A page has a path below `root`, which is its file where pages are in a folder of this machine.

    `files`: where they are instead; their names there are those below `root`. With a `sealing`, the pages of clinics
    are stored encrypted; those of catalogs name no patient.
    """

    def __init__(
        self, root: Path, sealing: PageSealing | None = None, *, files: Files | None = None, folder: str = ""
    ) -> None:
        self.root, self._sealing, self._folder = root, sealing, folder
        self._files: Files = files or FolderFiles(root)

    def of_day(self, day: date) -> "ReportStore":
        """The store for pages as of an earlier day, in a folder below this one."""
        folder = f"as-of/{day.isoformat()}"
        return ReportStore(self.root / folder, self._sealing, files=self._files, folder=f"{folder}/")

    def earlier_days(self) -> list[date]:
        """The earlier days that have pages, newest first."""
        days = _days(self._files.folders(self._folder + "as-of"))
        return [day for day in days if self.exists(self.of_day(day).path_for_index())]

    def path_for_index(self) -> Path:
        """The page that links to all clinics and digests."""
        return self.root / "index.html"

    def path_for_operators(self) -> Path:
        """What the portal shows operators."""
        return self.root / "operators.json"

    def path_for_clinic(self, clinic_key: str, page: int = 1) -> Path:
        """A page of the clinic's call list."""
        return self._clinic(clinic_key) / ("index.html" if page == 1 else f"page-{page}.html")

    def path_for_call_list(self, clinic_key: str) -> Path:
        """The clinic's call list for a spreadsheet."""
        return self._clinic(clinic_key) / "call-list.xlsx"

    def path_for_portal(self, clinic_key: str) -> Path:
        """What the portal lists of the clinic."""
        return self._clinic(clinic_key) / "portal.json"

    def path_for_directory(self, clinic_key: str, page: int = 1) -> Path:
        """A page of everybody of the clinic from A to Z."""
        return self._clinic(clinic_key) / ("a-z.html" if page == 1 else f"a-z-page-{page}.html")

    def path_for_export(self, clinic_key: str, suffix: str = "csv") -> Path:
        """The clinic's rows for a spreadsheet: `csv` or `xlsx`."""
        return self._clinic(clinic_key) / f"supply.{suffix}"

    def path_for_practitioner(self, clinic_key: str, practitioner_id: str, page: int = 1) -> Path:
        """A page of one practitioner's call list."""
        suffix = "" if page == 1 else f"-page-{page}"
        return self._clinic(clinic_key) / "practitioners" / f"{file_id(practitioner_id)}{suffix}.html"

    def path_for_patient(self, clinic_key: str, patient_id: str) -> Path:
        """One patient's page."""
        return self._clinic(clinic_key) / "patients" / f"{file_id(patient_id)}.html"

    def path_for_digest(self, region: str, day: date | None = None, suffix: str = "html") -> Path:
        """A region's catalog digest of a day, or (without a day) the list of them."""
        return self.root / "catalog" / file_id(region) / (f"{day.isoformat()}.{suffix}" if day else "index.html")

    def path_for_watched(self, region: str, day: date, suffix: str = "html") -> Path:
        """The digest of the watched brands of a region."""
        return self.root / "catalog" / file_id(region) / "watched" / f"{day.isoformat()}.{suffix}"

    def path_for_brand(self, region: str, brand_id: str, suffix: str = "html") -> Path:
        """A brand's page, or its feed with the suffix `atom`."""
        return self.root / "catalog" / file_id(region) / "brands" / f"{file_id(brand_id)}.{suffix}"

    def path_for_product(self, region: str, product_id: str) -> Path:
        """The page of a product that changed."""
        return self.root / "catalog" / file_id(region) / "products" / f"{file_id(product_id)}.html"

    def path_for_catalog_list(self, region: str, name: str, suffix: str = "html") -> Path:
        """A list of a region: `brands`, `products`, or `days` with their counts."""
        return self.root / "catalog" / file_id(region) / f"{name}.{suffix}"

    def path_for_feed(self, region: str, path: str) -> Path:
        """A feed of the region's changes; `path`: below the region's folder, of safe names."""
        return self.root / "catalog" / file_id(region) / path

    def write(self, path: Path, content: str | bytes) -> int:
        """Replace `path` (below the root) by `content`. Returns the number of bytes written.

        Raises ConfigurationError if it cannot be written, ServiceUnavailable if a bucket does not answer.
        """
        encoded = content.encode("utf-8", "replace") if isinstance(content, str) else content
        name = self._name(path)
        if self._sealing is not None and name.removeprefix(self._folder).startswith(("clinics/", "operators.")):
            encoded = self._sealing.seal(encoded, name)
        self._files.put(name, encoded)
        return len(encoded)

    def write_packed(self, path: Path, packed: Path) -> None:
        """Replace `path` by a file of this machine, whose parts are sealed already if pages are."""
        self._files.put(self._name(path), packed)

    def stored(self, path: Path) -> bytes | None:
        """The bytes that are stored, of a sealed page too; None when there is none."""
        return self._files.get(self._name(path))

    def opened(self, content: bytes, path: Path) -> bytes:
        """What a page holds that was stored as `path`, from the bytes that are stored."""
        return content if self._sealing is None else self._sealing.open(content, self._name(path))

    def exists(self, path: Path) -> bool:
        return self._files.exists(self._name(path))

    def address(self, path: Path) -> str:
        """Where the page is, for sentences and links."""
        return self._files.address(self._name(path))

    def in_folder(self, folder: Path, suffix: str = ".html") -> list[Path]:
        """The files of a folder with that suffix, sorted."""
        return [folder / name for name in self._files.names(self._name(folder)) if name.endswith(suffix)]

    def all_below(self, folder: Path) -> list[Path]:
        """All files of a folder and of those below it, sorted."""
        names = self._files.names_below(self._name(folder))
        return [self.root / name.removeprefix(self._folder) for name in names]

    def remove(self, paths: Iterable[Path]) -> None:
        """Delete pages; one that does not exist is none to delete."""
        self._files.delete([self._name(path) for path in paths])

    def remove_folder(self, folder: Path) -> int:
        """Delete a folder with all that is below it. Returns the number of files."""
        return self._files.delete_folder(self._name(folder))

    def remove_stale_pages(self, folder: Path, current: Iterable[Path]) -> int:
        """Delete the `.html` files of `folder` that are not in `current`. Returns the number deleted."""
        names = {path.name for path in current if path.parent == folder}
        stale = [path for path in self.in_folder(folder) if path.name not in names]
        if stale:
            self.remove(stale)
        return len(stale)

    def count_pages(self, clinic_key: str) -> int:
        """How many pages and spreadsheet files a clinic has."""
        return len(self._files.names_below(self._name(self._clinic(clinic_key))))

    def clinic_keys(self) -> list[str]:
        """Folder names of the clinics that have a page, sorted."""
        keys = self._files.folders(f"{self._folder}clinics")
        return [key for key in keys if self._files.exists(f"{self._folder}clinics/{key}/index.html")]

    def regions(self) -> list[str]:
        """Folder names of the regions that have a digest, sorted."""
        catalog = self.root / "catalog"
        regions = self._files.folders(self._name(catalog))
        return [region for region in regions if self.in_folder(catalog / region)]

    def digest_days(self, region: str) -> list[date]:
        """The days of a region's digests, newest first."""
        return _days(path.stem for path in self.in_folder(self.root / "catalog" / file_id(region)))

    def _name(self, path: Path) -> str:
        return self._folder + path.relative_to(self.root).as_posix()

    def _clinic(self, clinic_key: str) -> Path:
        return self.root / "clinics" / file_id(clinic_key)
