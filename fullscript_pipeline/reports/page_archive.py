"""Pages kept for the audit: a clinic's folder as it stood after a day's writing, in one ZIP file per day.

Kept under `<root>/kept/<clinic>/<day>.zip`, for its owner only, as long as the setting says. What does not belong
here: what stands on a page, and how long to keep it (settings.py).
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


def keep_pages(store: ReportStore, clinic_key: str, day: date, *, keep_days: int, today: date) -> Path | None:
    """Keep the clinic's folder as the pages of `day` and drop days older than `keep_days`; the file it made.

    At 0 nothing is kept and nothing dropped: None. A second writing on the same day replaces the first.
    Raises ConfigurationError when the folder cannot be written.
    """
    if not keep_days:
        return None
    folder = store.root / "kept" / file_id(clinic_key)
    _drop_before(folder, today - timedelta(days=keep_days))
    source = store.path_for_clinic(clinic_key).parent
    temporary, kept = folder / f".writing-{secrets.token_hex(6)}", folder / f"{day.isoformat()}.zip"
    try:
        make_private_folder(folder)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # Level 1: three times faster than the usual level, and a page shrinks to a third all the same.
        with (
            os.fdopen(handle, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            for path in sorted(path for path in source.rglob("*") if path.suffix in {".html", ".csv", ".xlsx"}):
                archive.write(path, path.relative_to(source))
        temporary.replace(kept)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise ConfigurationError(
            f"The folder {folder} for kept pages cannot be written ({error.strerror}); free space, or set "
            "FULLSCRIPT_KEEP_PAGES_DAYS to 0 to keep none."
        ) from None
    return kept


def _drop_before(folder: Path, first: date) -> None:
    for path in folder.glob("*.zip"):
        with suppress(ValueError):
            if date.fromisoformat(path.stem) < first:
                path.unlink(missing_ok=True)
