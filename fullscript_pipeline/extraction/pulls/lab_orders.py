"""Lab orders: the full list, since most states raise no event; and the vendor's description of each test.

Labs exist in the US only. What does not belong here: the content or address of a result, which is never landed.
"""

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine import (
    SWEEP_DAYS,
    DetailSource,
    Load,
    Pull,
    Report,
    Target,
    complete_from_details,
    fetch_awaited,
    ids_due_for_refetch,
    in_parallel,
    record_detail_reads,
)
from fullscript_pipeline.ids import requestable_ids
from fullscript_pipeline.plural import counted
from fullscript_pipeline.regions import REGIONS_WITH_LABS
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS, LAB_TESTS
from fullscript_pipeline.warehouse import Line, canonical, content_hash
from fullscript_pipeline.warehouse.loading import EVERYTHING

NO_LABS = "Fullscript has labs in the US only."
# Final states; only an amendment follows, and it changes the state in the list.
SETTLED = frozenset(
    {"not_purchased", "results_ready", "all_results_received", "results_amended", "interpretation_ready"}
    | {"interpretation_shared"}
)
TESTS_SWEEP_DAYS = 7
_DETAIL = DetailSource(endpoint="lab_order", table=LAB_ORDERS, arrays=("tests", "results"))


def pull_labs(target: Target, session: ClinicSession, sweep_days: int = SWEEP_DAYS) -> Report:
    """Pulls every lab order. Reads the details of rows without tests or results that may have changed."""
    pull = Pull(target, "lab_orders")
    if target.region not in REGIONS_WITH_LABS:
        return pull.record_refusal(NO_LABS)
    try:
        listing = pull.walk(session, "lab_orders")
        gone = fetch_awaited(pull, session, LAB_ORDERS, listing.ids, is_complete=listing.complete)
        rows = complete_from_details(
            pull,
            session,
            _DETAIL,
            lambda: map(with_results, pull.file.lines("lab_orders")),
            sweep_days=sweep_days,
            may_change=_may_still_move,
            read_details=lambda: lambda: map(with_results, pull.file.lines("lab_order")),
        )
    except (ScopeError, NotFound) as refusal:
        return pull.record_refusal(str(refusal))
    return pull.commit(
        Load(
            table=LAB_ORDERS,
            lines=rows.lines,
            missing_among=EVERYTHING if listing.complete else None,
            gone=gone,
            listed={line.id for line in pull.file.lines("lab_orders")},
            unread=rows.unread,
            refused=pull.summary.refused("lab_order"),
            covers_events=listing.complete,
            after=rows.after,
        ),
        total_count=listing.total_count,
    )


def pull_lab_tests(target: Target, session: ClinicSession) -> Report:
    """Pulls the description of each test in this clinic's lab orders: once, then again within a week."""
    pull = Pull(target, "lab_tests")
    if target.region not in REGIONS_WITH_LABS:
        return pull.record_refusal(NO_LABS)
    clinic_id = session.clinic.clinic_id
    with target.warehouse.read() as con:
        rows = con.execute(
            "SELECT DISTINCT lab_test_id FROM core.lab_order_tests WHERE clinic_id = ? AND removed_at IS NULL "
            "AND lab_test_id IS NOT NULL ORDER BY 1",
            [clinic_id],
        ).fetchall()
        tests = dict.fromkeys(requestable_ids(test for (test,) in rows))
        due = ids_due_for_refetch(con, clinic_id, "lab_tests", tests, sweep_days=TESTS_SWEEP_DAYS)
    try:
        exists = in_parallel(lambda test: pull.land_object(session, "lab_test", test), due)
    except (ScopeError, RequestRefused) as refusal:
        return pull.record_refusal(str(refusal))
    outcome = {test: (None, there) for test, there in zip(due, exists, strict=True)}
    if denied := len(due) - sum(exists):
        # No list holds tests, so a 404 does not prove that one is gone.
        pull.summary.add_caution(f"{counted(denied, 'test')} answered 404: left as stored")
    return pull.commit(
        Load(
            table=LAB_TESTS,
            lines=pull.lines("lab_test"),
            listed=(),
            after=lambda con: record_detail_reads(con, pull, owner=clinic_id, resource="lab_tests", reads=outcome),
        )
    )


def with_results(line: Line) -> Line:
    """Returns the lab order with its results beside its tests, also when the server puts them inside."""
    if b'"results"' not in line.record:
        return line
    record = orjson.loads(line.record)
    tests = record.get("tests")
    if record.get("results") is not None or not isinstance(tests, list):
        return line
    inside = [test.pop("results", None) for test in tests if isinstance(test, dict)]
    record["results"] = [result for results in inside if isinstance(results, list) for result in results]
    text = canonical(record)
    return line._replace(record=text, hash=content_hash(text))


def _may_still_move(line: Line) -> bool:
    record = orjson.loads(line.record)
    return str(record.get("state") or record.get("status") or "").lower() not in SETTLED
