"""Lab orders: polled whole, since most states raise no event. Labs exist in the US only."""

from collections.abc import Iterator

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.pull import Load, Pull, Report, Target, absent, in_parallel
from fullscript_pipeline.warehouse.labs import LAB_ORDERS
from fullscript_pipeline.warehouse.landing import Line


def pull_labs(target: Target, session: ClinicSession) -> Report:
    """Every lab order; the detail only of rows that come without their tests."""
    pull = Pull(target, "lab_orders")
    if target.region != "us":
        return pull.not_available("Fullscript has labs in the US only.")
    try:
        listing = pull.walk(session, "lab_orders")
        thin = [line.id for line in pull.file.lines("lab_orders") if _is_thin(line)]
        in_parallel(lambda order: pull.one(session, "lab_order", order), thin)
    except (ScopeError, NotFound) as refusal:
        return pull.not_available(str(refusal))

    def lines() -> Iterator[Line]:
        yield from (line for line in pull.file.lines("lab_orders") if not _is_thin(line))
        yield from pull.file.lines("lab_order")

    return pull.commit(
        Load(LAB_ORDERS, lines, missing_among="true" if listing.complete else None),
        total_count=listing.total_count,
        listed_by=session.user_id,
    )


def read_labs(target: Target, session: ClinicSession, lab_orders: list[str]) -> Report:
    """These lab orders by id."""
    pull = Pull(target, "lab_orders_refresh")
    try:
        gone = absent(lab_orders, in_parallel(lambda one: pull.one(session, "lab_order", one), lab_orders))
    except ScopeError as refusal:
        return pull.not_available(str(refusal))
    return pull.commit(Load(LAB_ORDERS, pull.lines("lab_order"), gone=gone))


def _is_thin(line: Line) -> bool:
    return not isinstance(orjson.loads(line.record).get("tests"), list)
