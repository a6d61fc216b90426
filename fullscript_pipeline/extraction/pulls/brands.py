"""Brands: the full list, and from its two filtered forms which are on sale and which each clinic may prescribe.

What does not belong here: the other reference lists (`catalog`), products.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.engine import FetchedList, Load, Pull, Report, Target, record_refusal_by_all
from fullscript_pipeline.extraction.pulls.landed_records import replace_record
from fullscript_pipeline.resources.brands import BRANDS, CLINIC_BRANDS
from fullscript_pipeline.warehouse import Line
from fullscript_pipeline.warehouse.loading import EVERYTHING

REFUSALS = (ScopeError, NotFound, RequestRefused, NeedsConnect)


def pull_brands(target: Target, sessions: Sequence[ClinicSession]) -> list[Report]:
    """Pulls the region's brands with the first permitted clinic, and the permitted brands of each clinic."""
    by_clinic = [_pull_permitted(target, session) for session in sessions]
    reports = [report for report, _ in by_clinic]
    pull = Pull(target, "brands")
    refusals: list[Exception] = []
    for session in sessions:
        try:
            listing = pull.walk(session, "brands")
        except REFUSALS as error:
            refusals.append(error)
            continue
        available = _filtered_ids(pull, session, "available")
        permitted = [ids for _, ids in by_clinic]
        return [_commit(pull, listing, available, permitted), *reports]
    return [record_refusal_by_all(pull, refusals), *reports]


def _pull_permitted(target: Target, session: ClinicSession) -> tuple[Report, Collection[str] | None]:
    """Pulls the brands that a clinic may prescribe. The ids are None when they are not known."""
    pull = Pull(replace(target, clinic=session.clinic), "clinic_brands")
    try:
        listing = pull.walk(session, "brands", params={"clinic_permitted": "true"})
    except REFUSALS as refusal:
        return pull.record_refusal(str(refusal)), None

    def lines() -> Iterator[Line]:
        for line in pull.file.lines("brands"):
            yield replace_record(line, {"name": orjson.loads(line.record).get("name")})

    report = pull.commit(
        Load(table=CLINIC_BRANDS, lines=lines, missing_among=EVERYTHING if listing.complete else None),
        total_count=listing.total_count,
    )
    return report, frozenset(listing.ids) if listing.complete else None


def _filtered_ids(pull: Pull, session: ClinicSession, name: str) -> Collection[str] | None:
    """Returns the brands that pass a filter; None when they are not known."""
    try:
        listing = pull.walk(session, "brands", params={name: "true"})
    except REFUSALS:
        return None
    return frozenset(listing.ids) if listing.complete else None


def _commit(
    pull: Pull, listing: FetchedList, available: Collection[str] | None, permitted: Sequence[Collection[str] | None]
) -> Report:
    return pull.commit(
        Load(
            table=BRANDS,
            lines=_flagged_brands(pull, available, permitted),
            missing_among=EVERYTHING if listing.complete else None,
        ),
        total_count=listing.total_count,
    )


def _flagged_brands(
    pull: Pull, available: Collection[str] | None, permitted: Sequence[Collection[str] | None]
) -> Callable[[], Iterator[Line]]:
    """Returns the rows of the full list with the flags of the filtered lists. An unknown flag is left out."""

    def lines() -> Iterator[Line]:
        for request, landed in pull.file.records():
            if not request.key.endswith("?"):
                continue
            for line in landed:
                record = orjson.loads(line.record)
                if available is not None:
                    record["available"] = line.id in available
                known = [line.id in ids for ids in permitted if ids is not None]
                if any(known) or (known and len(known) == len(permitted)):
                    record["clinic_permitted"] = any(known)
                yield replace_record(line, record)

    return lines
