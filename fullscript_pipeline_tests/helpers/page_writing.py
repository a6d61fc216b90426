"""The type of the fixture that writes the pages of a clinic, and a page read back.

What does not belong here: the fixture (`reports/conftest.py`), and rows (`mart_fixtures`).
"""

from collections.abc import Callable

from fullscript_pipeline.reports import PagesWritten, ReportStore
from fullscript_pipeline_tests.helpers.html import Page, read

Write = Callable[..., PagesWritten]


def page_of(store: ReportStore, patient_id: str) -> Page:
    """The page of a patient of the fixtures' clinic."""
    return read(store.path_for_patient("green-hill", patient_id))
