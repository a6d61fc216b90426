"""Archives a clinic's pages for audits: its folder as written on a day, in one ZIP file per day.

An archive is `kept/<clinic>/<day>.zip` among the pages, and is deleted after the days of the setting. What does not
belong here: the content of a page, and how long to keep it (`settings`).
"""

import os
import secrets
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.reports.store import ReportStore, file_id


def archive_pages(store: ReportStore, clinic_key: str, day: date, *, keep_days: int, today: date) -> Path | None:
    """Archive the clinic's folder as the pages of `day`, and delete archives older than `keep_days`.

    Returns the archive. With 0 days it archives and deletes nothing and returns None. A second archive of the same day
    replaces the first. Raises ConfigurationError if it cannot be written.
    """
    if not keep_days:
        return None
    folder = store.root / "kept" / file_id(clinic_key)
    _delete_before(store, folder, today - timedelta(days=keep_days))
    source = store.path_for_clinic(clinic_key).parent
    paths = (path for path in store.all_below(source) if path.suffix in {".html", ".csv", ".xlsx"})
    archive_path = folder / f"{day.isoformat()}.zip"
    pages = ((path.relative_to(source).as_posix(), store.stored(path)) for path in paths)
    write_archive(store, archive_path, ((name, page) for name, page in pages if page is not None))
    return archive_path


def write_archive(store: ReportStore, path: Path, pages: Iterable[tuple[str, bytes]]) -> None:
    """Replaces an archive by one of these pages, by their names; it is packed in a file of this machine."""
    temporary = store.root / f".writing-{secrets.token_hex(6)}"
    try:
        make_private_folder(store.root)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        # Level 1 is three times faster than the default level, and a page still shrinks to a third.
        with (
            os.fdopen(handle, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            for name, page in pages:
                archive.writestr(name, page)
        store.write_packed(path, temporary)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {store.root} for kept pages cannot be written ({error.strerror}); free space, or set "
            "FULLSCRIPT_KEEP_PAGES_DAYS to 0 to keep none."
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _delete_before(store: ReportStore, folder: Path, first: date) -> None:
    old = []
    for path in store.in_folder(folder, ".zip"):
        with suppress(ValueError):
            if date.fromisoformat(path.stem) < first:
                old.append(path)
    store.remove(old)
