"""Orders: first the full history, then a trailing window and a rolling share of the older history.

Refunds change old orders and raise no event. What does not belong here: the fields of a refund (`resources.orders`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil

import duckdb

from fullscript_pipeline.api import WHOLE_UTC_DAYS, ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.engine import (
    SWEEP_DAYS,
    DetailSource,
    Load,
    Pull,
    Report,
    Target,
    complete_from_details,
    events_answered_by_list,
    fetch_awaited,
    session_view,
)
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.warehouse.loading import Among, Counts, View, pull_log, rows_between

TRAILING_DAYS = 60
# The filter's edges and time zone are not documented: a day more on both sides for each.
OVERLAP = timedelta(days=2)
_DETAIL = DetailSource(endpoint="order", table=ORDERS, arrays=("line_items",))


@dataclass(frozen=True, kw_only=True)
class Window:
    """Days of `completed_on`, ends included, whose orders a listing must all hold; None: open."""

    first: date | None = None
    last: date | None = None

    def params(self, assumed: Collection[str] = ()) -> dict[str, str]:
        """Returns a filter that lists all orders of these days; `assumed`: the switches of the server."""
        params = {"sort_by": "completed_at", "order_by": "ASC"}
        if self.first and self.last:
            # The day of an order is the one it is written with, which may be another one in UTC.
            overlap = timedelta(days=1) if WHOLE_UTC_DAYS in assumed else OVERLAP
            params["completed_at"] = f"{self.first - overlap}..{self.last + overlap}"
        elif self.first:
            params["completed_at"] = f">{self.first - OVERLAP}"
        elif self.last:
            params["completed_at"] = f"<{self.last + OVERLAP}"
        return params

    def among(self) -> Among:
        """Returns the stored orders that the listing must hold, whatever the filter's edges mean."""
        return rows_between("completed_on", self.first, self.last)


def pull_orders(
    target: Target, session: ClinicSession, trailing_days: int = TRAILING_DAYS, sweep_days: int = SWEEP_DAYS
) -> Report:
    """Pulls everything the first time, then the trailing window up to now."""
    with target.warehouse.read() as con:
        window = daily_window(con, session.clinic.clinic_id, trailing_days, session_view(session))
    return _pull_window(target, session, window, resource="orders", sweep_days=sweep_days)


def sweep_orders(
    target: Target, session: ClinicSession, trailing_days: int = TRAILING_DAYS, sweep_days: int = SWEEP_DAYS
) -> Report | None:
    """Pulls the next share of the history before the trailing window; None when there is no such history."""
    clinic_id = session.clinic.clinic_id
    with target.warehouse.read() as con:
        window = sweep_window(con, clinic_id, target.day, trailing_days=trailing_days, sweep_days=sweep_days)
    return _pull_window(target, session, window, resource="orders_sweep", sweep_days=sweep_days) if window else None


def pull_order_days(
    target: Target, session: ClinicSession, first: date, last: date, sweep_days: int = SWEEP_DAYS
) -> Report:
    """Pulls the orders of any range of days again: the backfill."""
    return _pull_window(
        target, session, Window(first=first, last=last), resource="orders_backfill", sweep_days=sweep_days
    )


def daily_window(
    con: duckdb.DuckDBPyConnection, clinic_id: str, trailing_days: int = TRAILING_DAYS, view: View | None = None
) -> Window:
    """Returns what the daily pull lists: open on both sides until a reader who sees all that `view` does has loaded the
    full history."""
    before = pull_log.last_complete(con, clinic_id, "orders", view)
    return Window(first=before.date() - timedelta(days=trailing_days)) if before else Window()


def sweep_window(
    con: duckdb.DuckDBPyConnection,
    clinic_id: str,
    day: date,
    *,
    trailing_days: int = TRAILING_DAYS,
    sweep_days: int = SWEEP_DAYS,
) -> Window | None:
    """Returns the next days to re-read, so that `sweep_days` runs cover all days before the trailing window.

    After days without a run it returns as many shares at once. None when nothing is older, or today's share is done.
    """
    cut = day - timedelta(days=trailing_days)
    (oldest,) = con.execute(
        "SELECT min(completed_on) FROM core.orders WHERE clinic_id = ? AND removed_at IS NULL", [clinic_id]
    ).fetchone() or (None,)
    if oldest is None or oldest >= cut:
        return None
    through, last_sweep_on = con.execute(
        "SELECT swept_through, swept_on FROM ops.order_sweeps WHERE clinic_id = ?", [clinic_id]
    ).fetchone() or (None, None)
    if last_sweep_on is not None and last_sweep_on >= day:
        return None
    first = through + timedelta(days=1) if through and through < cut else None
    shares = min((day - last_sweep_on).days if last_sweep_on else 1, sweep_days)
    length = ceil(((cut - oldest).days + 1) / sweep_days) * shares
    return Window(first=first, last=min((first or oldest) + timedelta(days=length - 1), cut))


def _pull_window(target: Target, session: ClinicSession, window: Window, *, resource: str, sweep_days: int) -> Report:
    params, stored_orders = window.params(session.assumed), window.among()
    pull = Pull(target, resource)
    try:
        listing = pull.walk(session, "orders", params=params)
        covers_events = listing.complete and resource == "orders"
        gone = fetch_awaited(pull, session, ORDERS, listing.ids, is_complete=covers_events)
        answers = events_answered_by_list(pull, session, ORDERS, listing) if covers_events else ()
        rows = complete_from_details(pull, session, _DETAIL, pull.lines("orders"), sweep_days=sweep_days)
    except (ScopeError, NotFound) as refusal:
        return pull.record_refusal(str(refusal))

    def after(con: duckdb.DuckDBPyConnection) -> None:
        rows.after(con)
        if listing.complete and (resource == "orders_sweep" or window == Window()):
            _record_sweep(con, pull, window)

    report = pull.commit(
        Load(
            table=ORDERS,
            lines=rows.lines,
            missing_among=stored_orders if listing.complete else None,
            gone=gone,
            listed={line.id for line in pull.file.lines("orders")},
            unread=rows.unread,
            refused=pull.summary.refused("order"),
            covers_events=covers_events,
            answers=answers,
            after=after,
        ),
        total_count=listing.total_count,
    )
    _record_reread_changes(pull, report.counts["orders"], resource)
    return report


def _record_reread_changes(pull: Pull, counts: Counts, resource: str) -> None:
    """Only `order.placed` exists: no feed shows later changes of an order."""
    pull.record_reread_changes(counts.changed + counts.removed + (counts.added if resource == "orders_sweep" else 0))


def _record_sweep(con: duckdb.DuckDBPyConnection, pull: Pull, window: Window) -> None:
    """Records the days that were re-read. A pull of the full history counts too: it needs no rolling share today."""
    clinic_id = pull.target.clinic.clinic_id if pull.target.clinic else None
    con.execute("DELETE FROM ops.order_sweeps WHERE clinic_id = ?", [clinic_id])
    con.execute("INSERT INTO ops.order_sweeps VALUES (?, ?, ?)", [clinic_id, window.last, pull.target.day])
