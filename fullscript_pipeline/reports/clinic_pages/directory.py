"""Everybody of the clinic from A to Z: the rows of a page, the letters, and the names that the search needs besides.

What does not belong here: who must be talked to (`call_list`), the script that searches (`templates/search.js`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.clinic_pages.roster import RosterPatient, fold


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRow:
    """A patient's row. `places`: the numbers of the practitioners in the filter, separated by spaces."""

    patient: RosterPatient
    places: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The patients of a letter on one page; `begins_here`: on no earlier page."""

    letter: str
    rows: Sequence[DirectoryRow]
    begins_here: bool

    @property
    def anchor(self) -> str:
        return f"letter-{self.letter}" if self.letter != "#" else "letter-other"


def letter_of(patient: RosterPatient) -> str:
    """A to Z, or # for a name that begins with something else."""
    first = fold(patient.sort_name)[:1].upper()
    return first if "A" <= first <= "Z" else "#"


def letters_of_page(
    patients: Sequence[RosterPatient], first: int, last: int, places: Mapping[str, int]
) -> list[Letter]:
    """The letters of the patients `first` to `last` of a list in alphabetical order."""
    before = letter_of(patients[first - 1]) if first else None
    return [
        Letter(
            letter=letter,
            rows=[DirectoryRow(patient=patient, places=_places(patient, places)) for patient in group],
            begins_here=letter != before,
        )
        for letter, group in groupby(patients[first:last], key=letter_of)
    ]


def names_elsewhere(
    patients: Sequence[tuple[RosterPatient, str]], places: Mapping[str, int], folder: str
) -> Markup | None:
    """The patients of further pages for the search of the first one, as JSON; None if there are none.

    `patients`: each with the page of A to Z that has the row. An item is [name, address, numbers of practitioners].
    """
    if not patients:
        return None
    rows = [
        (
            formatting.clean(patient.sort_name),
            f"{folder}{patient.page}.html" if patient.page else f"{page}#{patient.file}",
            _places(patient, places),
        )
        for patient, page in patients
    ]
    # No text of it can end the element that it is in.
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 -- JSON in an element that is not HTML


def _places(patient: RosterPatient, places: Mapping[str, int]) -> str:
    numbers = sorted(places[practitioner_id] for practitioner_id in patient.practitioner_ids)
    return " ".join(map(str, numbers))
