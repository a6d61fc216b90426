"""The pages' store as the settings say: in a folder or a bucket, plain or sealed for the portal.

What does not belong here: file names and writing (`reports.store`), the seal (`portal_store`).
"""

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.files import open_files
from fullscript_pipeline.portal_store import PageSeal, split_keys
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.settings import SEALED, Settings


def open_report_store(settings: Settings) -> ReportStore:
    """Raises ConfigurationError for sealed pages without FULLSCRIPT_WEB_KEY."""
    return ReportStore(settings.reports_dir, page_seal(settings), files=open_files(settings, "reports"))


def page_seal(settings: Settings) -> PageSeal | None:
    """None: pages are plain."""
    if settings.pages != SEALED:
        return None
    keys = split_keys(settings.web_key)
    if not keys:
        raise ConfigurationError(
            "FULLSCRIPT_PAGES is sealed and FULLSCRIPT_WEB_KEY is not set: give the pipeline the portal's key, with "
            "which pages are sealed (docs/portal.md)."
        )
    return PageSeal(keys)
