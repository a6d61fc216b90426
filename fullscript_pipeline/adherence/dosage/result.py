"""`Dosage`: what a dosage text means.

What does not belong here: how it is read (reader.py).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

DosageStatus = Literal["ok", "prn", "open_range", "unparsable"]
DurationKind = Literal["finite", "ongoing", "unspecified", "as_needed", "unparsable"]


@dataclass(frozen=True, kw_only=True)
class Dosage:
    """What a dosage text means.

    `units_per_day_min` and `_max` are exact, in `unit` (folded, None when the text names none); both None unless
    `status` is ok (both set) or open_range (exactly one set). `duration_days` is set when `duration_kind` is finite.
    `reason` says in plain words why something could not be read and quotes it as written; `problem` is the same without
    the text, `not_understood` the words.
    `assumptions`: what was assumed. `flags`: what a reader of the figures should know (`conflicting_text`).
    `counts_pack_unit`: the text is a small bare count beside no strength, so the pack's own unit may be what it counts.
    """

    status: DosageStatus
    units_per_day_min: Fraction | None
    units_per_day_max: Fraction | None
    duration_days: int | None
    duration_kind: DurationKind
    unit: str | None = None
    reason: str | None = None
    assumptions: tuple[str, ...] = ()
    problem: str | None = None
    not_understood: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    counts_pack_unit: bool = False
