"""Orders: the whole history first, afterwards a trailing window, since refunds change old orders and raise no event."""

from datetime import date, timedelta

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.pull import Load, Pull, Report, Target
from fullscript_pipeline.warehouse import pulls
from fullscript_pipeline.warehouse.commerce import ORDERS

TRAILING_DAYS = 60
# The filter's edges and time zone are not documented: ask for a day more on both sides for each, load by id.
OVERLAP = timedelta(days=2)


def pull_orders(target: Target, session: ClinicSession) -> Report:
    """The daily pull: everything the first time, then the trailing window up to now."""
    assert target.clinic is not None  # noqa: S101 - orders exist only in clinic cells
    with target.warehouse.read() as con:
        before = pulls.last_complete(con, target.clinic.clinic_id, "orders")
    if before is None:
        return _pull_window(target, session, None, None)
    return _pull_window(target, session, before.date() - timedelta(days=TRAILING_DAYS), None)


def pull_order_days(target: Target, session: ClinicSession, first: date, last: date) -> Report:
    """The orders of some days again, any range: the backfill."""
    return _pull_window(target, session, first, last, resource="orders_backfill")


def _pull_window(
    target: Target, session: ClinicSession, first: date | None, last: date | None, resource: str = "orders"
) -> Report:
    pull = Pull(target, resource)
    try:
        listing = pull.walk(session, "orders", params=_window(first, last))
        pull.fill_thin_rows(session, "orders", "order", "line_items")
    except (ScopeError, NotFound) as refusal:
        return pull.not_available(str(refusal))
    return pull.commit(
        Load(
            ORDERS,
            pull.whole_rows("orders", "order", "line_items"),
            missing_among=_inside(first, last) if listing.complete else None,
        ),
        total_count=listing.total_count,
        listed_by=session.user_id,
    )


def _window(first: date | None, last: date | None) -> dict[str, str]:
    params = {"sort_by": "completed_at", "order_by": "ASC"}
    if first and last:
        params["completed_at"] = f"{first - OVERLAP}..{last + OVERLAP}"
    elif first:
        params["completed_at"] = f">{first - OVERLAP}"
    return params


def _inside(first: date | None, last: date | None) -> str:
    """The stored orders that the listing must hold, whatever the filter's edges mean."""
    lower = f"s.completed_on > DATE '{first}'" if first else "true"
    upper = f"s.completed_on < DATE '{last}'" if last else "true"
    return f"{lower} AND {upper}"
