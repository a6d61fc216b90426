"""Whether the dose periods of the mart's rows close and add up to the rows' shares.

What does not belong here: rows (the tests make them), and the engine.
"""

from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Any

import pytest


def key_of(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("patient_id", "treatment_plan_id", "product_id"))


def faults(rows: Iterable[dict[str, Any]], periods: Iterable[dict[str, Any]]) -> list[tuple[object, ...]]:
    """Every row with a share whose periods do not close, or do not add up to it."""
    of_row = {
        key: list(group)
        for key, group in groupby(
            sorted(periods, key=lambda one: (*key_of(one), one["dose_bound"], one["start_on"])),
            key=lambda one: (*key_of(one), one["dose_bound"]),
        )
    }
    found: list[tuple[object, ...]] = []
    for row in rows:
        low, high = of_row.get((*key_of(row), "highest"), []), of_row.get((*key_of(row), "lowest"), [])
        if row["pdc_min"] is not None:
            found += _unequal(row, low, row["pdc_min"], row["carry_in_units"])
        if row["pdc_max"] not in (None, row["pdc_min"]):
            found += _unequal(row, high, row["pdc_max"], None)
    return found


def _unequal(
    row: dict[str, Any], periods: list[dict[str, Any]], share: float, carried: float | None
) -> list[tuple[object, ...]]:
    if not periods:
        return [(*key_of(row), "no period")]
    told: list[tuple[str, float | None, float | None]] = [
        ("days", sum(one["days"] for one in periods), row["window_days"]),
        ("covered", sum(one["days_covered"] for one in periods), share * row["window_days"]),
        ("carried in", periods[0]["units_on_hand"], periods[0]["units_on_hand"] if carried is None else carried),
    ]
    for one in periods:
        rate = float(Fraction(one["units_per_day"]))
        told.append(("closes", one["units_on_hand"] + one["units_bought"] - one["units_used"], one["units_left"]))
        told.append(("used", one["units_used"], one["days_covered"] * rate))
    told += [("continues", first["units_left"], second["units_on_hand"]) for first, second in pairwise(periods)]
    edges = [row["window_start"], *(one["end_on"] for one in periods)]
    gaps = [one["start_on"] for one, edge in zip(periods, edges, strict=False) if one["start_on"] != edge]
    return [(*key_of(row), name, *pair) for name, *pair in told if pair[0] != pytest.approx(pair[1], abs=1e-6)] + [
        (*key_of(row), "a day between periods", day) for day in gaps
    ]
