"""The type of the fixture that writes the pages of a clinic.

What does not belong here: the fixture (`reports/conftest.py`), and rows (`mart_fixtures`).
"""

from collections.abc import Callable

from fullscript_pipeline.reports import PagesWritten

Write = Callable[..., PagesWritten]
