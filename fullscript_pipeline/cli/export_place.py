"""Where `export` writes: a folder that was asked for, else the place of files, by way of a folder where it is a bucket.

What does not belong here: what is exported.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from fullscript_pipeline import clock
from fullscript_pipeline.files import Files, open_files
from fullscript_pipeline.settings import Settings

EXPORTS = "exports"


@dataclass(frozen=True, kw_only=True)
class ExportPlace:
    """`folder`: the files are written there; `bucket`: then they are moved there, under the folder's name."""

    folder: Path
    bucket: Files | None

    @classmethod
    def of(cls, settings: Settings, asked: Path | None) -> "ExportPlace":
        if asked:
            return cls(folder=asked.absolute(), bucket=None)
        files = open_files(settings, EXPORTS)
        folder = settings.exports_dir / f"{clock.real_now():%Y%m%dT%H%M%SZ}"
        return cls(folder=folder, bucket=None if files.is_local else files)

    @property
    def address(self) -> str:
        return self.bucket.address(self.folder.name) if self.bucket else str(self.folder)

    def address_of(self, path: Path) -> str:
        """Where a file of the folder is, once it is kept."""
        return f"{self.address}/{path.name}"

    def keep(self) -> None:
        """Moves what was written to the bucket, if that is the place."""
        if not self.bucket:
            return
        try:
            for path in sorted(self.folder.iterdir()):
                self.bucket.put(f"{self.folder.name}/{path.name}", path)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
