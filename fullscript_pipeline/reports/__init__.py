"""Writes the files that people read: adherence pages and catalog digests, as HTML that opens offline.

What does not belong here: computing figures (marts and `adherence`), schedules, and anything that writes the warehouse.
"""

from fullscript_pipeline.reports import export, side_formats
from fullscript_pipeline.reports.adherence import PagesWritten, write_adherence_pages
from fullscript_pipeline.reports.catalog_workbooks import changes_workbook
from fullscript_pipeline.reports.clinic_pages import PatientSnooze
from fullscript_pipeline.reports.digest import DigestWritten, write_catalog_digest
from fullscript_pipeline.reports.digest_page import render_catalog_digest
from fullscript_pipeline.reports.index import write_index
from fullscript_pipeline.reports.page_archive import archive_pages
from fullscript_pipeline.reports.page_context import PageNotes, load_page_context
from fullscript_pipeline.reports.page_erasure import (
    archived_days_naming,
    erase_patient_from_archive,
    remove_archived_pages,
    remove_clinic_pages,
    remove_pages_of_earlier_days,
)
from fullscript_pipeline.reports.store import ReportStore
from fullscript_pipeline.reports.thresholds import ReportPolicy

__all__ = [
    "DigestWritten",
    "PageNotes",
    "PagesWritten",
    "PatientSnooze",
    "ReportPolicy",
    "ReportStore",
    "archive_pages",
    "archived_days_naming",
    "changes_workbook",
    "erase_patient_from_archive",
    "export",
    "load_page_context",
    "remove_archived_pages",
    "remove_clinic_pages",
    "remove_pages_of_earlier_days",
    "render_catalog_digest",
    "side_formats",
    "write_adherence_pages",
    "write_catalog_digest",
    "write_index",
]
