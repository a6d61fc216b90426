"""A clinic's lists: whom to talk to, everybody from A to Z, labs to act on, and the workbook of the call list.

What does not belong here: pages of one patient, computing figures (marts).
"""

from fullscript_pipeline.reports.clinic_pages.call_list import PatientSnooze
from fullscript_pipeline.reports.clinic_pages.clinic_lists import ListsWritten, write_clinic_lists

__all__ = ["ListsWritten", "PatientSnooze", "write_clinic_lists"]
