"""The style that prints whose page it is, and "2 of 4", on every sheet.

Margin boxes of `@page` take their words from a style sheet only, so each page has one of its own. What does not belong
here: the style that all pages share (templates/style.css).
"""

import re
from collections.abc import Sequence

from fullscript_pipeline.reports.formatting import clean, shorten
from fullscript_pipeline.reports.language import PageLanguage

_LONGEST = 60
_SPECIAL = re.compile("[^0-9A-Za-z]")


def sheet_style(parts: Sequence[str], language: PageLanguage) -> str:
    """These words (clinic, patient, birth date) at the top of each sheet, and its number at the foot."""
    whose = _css_text(" · ".join(shorten(part, _LONGEST) for part in parts))
    before, _, after = language.gettext("%(page)s of %(pages)s", page="\0", pages="\1").partition("\0")
    middle, _, end = after.partition("\1")
    number = f"{_css_text(before)}counter(page){_css_text(middle)}counter(pages){_css_text(end)}"
    return f"@page{{@top-left{{content:{whose}}}@bottom-right{{content:{number}}}}}"


def _css_text(text: str) -> str:
    """A CSS string: every character but letters and digits of ASCII is escaped, so that no name ends it."""
    escaped = _SPECIAL.sub(lambda found: f"\\{ord(found[0]):x} ", clean(text))
    return f'"{escaped}"'
