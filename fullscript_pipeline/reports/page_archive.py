"""Archives a clinic's pages for audits: its folder as written on a day, in one ZIP file per day.

An archive is `<root>/kept/<clinic>/<day>.zip`, readable by its owner only, and is deleted after the days of the
setting. What does not belong here: the content of a page, and how long to keep it (`settings`).
"""

import os
import secrets
import zipfile
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.reports.store import ReportStore, file_id


def archive_pages(store: ReportStore, clinic_key: str, day: date, *, keep_days: int, today: date) -> Path | None:
    """Archive the clinic's folder as the pages of `day`, and delete archives older than `keep_days`.

    Returns the archive. With 0 days it archives and deletes nothing and returns None. A second archive of the same day
    replaces the first. Raises ConfigurationError if the folder cannot be written.
    """
    if not keep_days:
        return None
    folder = store.root / "kept" / file_id(clinic_key)
    _delete_before(folder, today - timedelta(days=keep_days))
    source = store.path_for_clinic(clinic_key).parent
    temporary, archive_path = folder / f".writing-{secrets.token_hex(6)}", folder / f"{day.isoformat()}.zip"
    try:
        make_private_folder(folder)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # Level 1 is three times faster than the default level, and a page still shrinks to a third.
        with (
            os.fdopen(handle, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            for path in sorted(path for path in source.rglob("*") if path.suffix in {".html", ".csv", ".xlsx"}):
                archive.write(path, path.relative_to(source))
        temporary.replace(archive_path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ConfigurationError(
            f"The folder {folder} for kept pages cannot be written ({error.strerror}); free space, or set "
            "FULLSCRIPT_KEEP_PAGES_DAYS to 0 to keep none."
        ) from None
    return archive_path


def _delete_before(folder: Path, first: date) -> None:
    for path in folder.glob("*.zip"):
        with suppress(ValueError):
            if date.fromisoformat(path.stem) < first:
                path.unlink(missing_ok=True)
