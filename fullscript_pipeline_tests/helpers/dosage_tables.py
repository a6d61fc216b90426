"""The decided dosage texts: what each means, decided before the reader was run on it.

fields (each field alone), first, blind, third to eleventh (whole dosages), outside (other people's).
`right`: `2`, `1..2`, `open 3` (only the largest dose), `open from 2`, `prn`, `no` (to be refused); ` or ` between what
is as good. `length`: days, ongoing, unread, or empty. What does not belong here: tests.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from fullscript_pipeline.adherence import Dosage, parse_dosage

NAMES = (
    "fields",
    "first",
    "blind",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "outside",
)
FIELDS = ("amount", "frequency", "duration", "format", "additional_info")


@dataclass(frozen=True)
class Row:
    """One dosage as written, and what is right."""

    texts: tuple[str, str, str, str, str]
    right: tuple[str, ...]
    length: str
    is_flagged: bool

    @property
    def is_readable(self) -> bool:
        """Whether a person reads it without guessing."""
        return "no" not in self.right


def table(name: str) -> list[Row]:
    """The rows of one file."""
    path = Path(__file__).parent / f"dosage_texts_{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [_row(record) for record in csv.DictReader(file, delimiter="|", quoting=csv.QUOTE_NONE)]


def _row(record: dict[str, str]) -> Row:
    amount, frequency, duration, format_text, info = (record[field] for field in FIELDS)
    right = record["right"].removesuffix(" flag")
    return Row(
        (amount, frequency, duration, format_text, info),
        tuple(right.split(" or ")),
        record["length"],
        record["right"].endswith(" flag"),
    )


def read(row: Row) -> Dosage:
    """What the reader makes of it."""
    return parse_dosage(*row.texts)


def rate(dosage: Dosage) -> str:
    """The notation of `right`."""
    low, high = dosage.units_per_day_min, dosage.units_per_day_max
    if dosage.status == "ok":
        return f"{low}" if low == high else f"{low}..{high}"
    if dosage.status == "open_range":
        return f"open {high}" if low is None else f"open from {low}"
    return {"prn": "prn", "unparsable": "no"}[dosage.status]


def length(dosage: Dosage) -> str:
    """The notation of `length`."""
    if dosage.duration_kind == "finite":
        return str(dosage.duration_days)
    return {"ongoing": "ongoing", "unparsable": "unread"}.get(dosage.duration_kind, "")
