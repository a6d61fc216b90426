"""Fetches the lab orders of some patients again.

A purchase raises an order event only, an activation a plan event only; the lab itself is in the list of lab orders.
What does not belong here: the daily list (`lab_orders`), choosing the patients (`refresh.consequences`).
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine import Pull, in_parallel
from fullscript_pipeline.extraction.pulls.lab_orders import with_results
from fullscript_pipeline.warehouse import UNKEYED, Line

PAGE = 100
_LIST = "lab_orders"
# Types of a line that is no lab; a line of an unknown type may be one.
_NO_LAB = frozenset({"supplement", "supplements"})


def order_may_hold_labs(record: Mapping[str, Any]) -> bool:
    """Whether an order has a line that is or may be a lab."""
    lines = record.get("line_items")
    return not isinstance(lines, list) or any(_may_be_lab(line) for line in lines)


def plan_may_hold_labs(record: Mapping[str, Any]) -> bool:
    """Whether a plan recommends labs, or does not say."""
    labs = record.get("lab_recommendations")
    return not isinstance(labs, list) or bool(labs)


def land_lab_orders(pull: Pull, session: ClinicSession, patients: Sequence[str], stored: int) -> str | None:
    """Lands the lab orders of these patients: a list for each, or the clinic's full list where that takes fewer
    requests.

    `stored`: how many lab orders the clinic has. Returns the refusal when the lists may not be read.
    """
    try:
        if len(patients) > ceil(stored / PAGE) + 1:
            pull.walk(session, _LIST)
        elif patients:
            pull.walk(session, _LIST, params={"patient_id": patients[0]})
            if _shows_other_patients(pull, patients[:1]):  # the server ignores the filter: read the full list
                pull.walk(session, _LIST)
            else:
                in_parallel(lambda patient: pull.walk(session, _LIST, params={"patient_id": patient}), patients[1:])
    except (ScopeError, NotFound, RequestRefused) as refusal:
        return str(refusal)
    return None


def iter_listed_lab_orders(pull: Pull) -> Iterator[Line]:
    """Yields the listed lab orders, with results beside the tests."""
    return (with_results(line) for line in pull.file.lines(_LIST) if not line.id.startswith(UNKEYED))


def has_tests_and_results(line: Line) -> bool:
    """Whether a listed lab order needs no detail."""
    record = orjson.loads(line.record)
    return isinstance(record.get("tests"), list) and isinstance(record.get("results"), list)


def patient_id_of(line: Line) -> str:
    """Returns the patient id of a plan, an order or a lab order, or ''."""
    return patient_id_in(orjson.loads(line.record))


def patient_id_in(record: Mapping[str, Any]) -> str:
    """Returns the patient id of a record, or ''."""
    nested = record.get("patient")
    patient = record.get("patient_id") or (nested.get("id") if isinstance(nested, dict) else None)
    return str(patient or "")


def _shows_other_patients(pull: Pull, patients: Sequence[str]) -> bool:
    return any(patient_id_of(line) not in {"", *patients} for line in pull.file.lines(_LIST))


def _may_be_lab(line: object) -> bool:
    if not isinstance(line, dict):
        return True
    if any(str(name).lower().startswith("lab") and value for name, value in line.items()):
        return True
    return str(line.get("type") or line.get("line_type") or "").strip().lower() not in _NO_LAB
