"""Lab orders: polled whole, since most states raise no event. Labs exist in the US only."""

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.pull import Load, Pull, Report, Target
from fullscript_pipeline.warehouse.labs import LAB_ORDERS


def pull_labs(target: Target, session: ClinicSession) -> Report:
    """Every lab order; the detail only of rows that come without their tests."""
    pull = Pull(target, "lab_orders")
    if target.region != "us":
        return pull.not_available("Fullscript has labs in the US only.")
    try:
        listing = pull.walk(session, "lab_orders")
        pull.fill_thin_rows(session, "lab_orders", "lab_order", "tests")
    except (ScopeError, NotFound) as refusal:
        return pull.not_available(str(refusal))
    return pull.commit(
        Load(
            LAB_ORDERS,
            pull.whole_rows("lab_orders", "lab_order", "tests"),
            missing_among="true" if listing.complete else None,
        ),
        total_count=listing.total_count,
        listed_by=session.user_id,
    )
