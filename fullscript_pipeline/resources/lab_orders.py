"""Lab orders with their tests and results: who waits for what, never the results themselves.

Results are named and dated only; their short-lived addresses are dropped before landing (`landing.SECRET_KEYS`). What
does not belong here: lab panels that a plan recommends (`plan_lines`).
"""

from fullscript_pipeline.regions import REGIONS_WITH_LABS
from fullscript_pipeline.resources.types import (
    BOTH_COPIES,
    SORTING,
    Child,
    Column,
    EventFamily,
    RequestRule,
    Resource,
    Table,
    detail,
    ident,
    list_of,
    reference,
    scopes,
    text,
)

# Children are staged while their parents are in `incoming` (`staging.stage`).
_OF_ORDER = "(SELECT label FROM (SELECT id AS order_id, {} AS label FROM incoming) WHERE order_id = parent_id)"


def _whose() -> tuple[Column, ...]:
    """Whom the order is for, and who ordered it."""
    return tuple(Column(name=name, sql=_OF_ORDER.format(f"v_{name}")) for name in ("patient_id", "practitioner_id"))


# Webhooks use other words than REST for the same states; the REST words are kept, an unknown one stands as it is.
_WORDS = {
    **{word: word for word in ("not_purchased", "purchased", "schedule_appointment", "upcoming_appointment")},
    **{word: word for word in ("processing", "partial_results", "results_ready", "results_amended")},
    **{word: word for word in ("interpretation_ready", "interpretation_shared")},
    "results_received": "partial_results",
    "all_results_received": "results_ready",
}


def state_word(word: str) -> str:
    """The REST word for a state; an unknown one stands as it is."""
    return _WORDS.get(word.lower(), word)


_WORD = "coalesce(nullif(r.state, ''), nullif(r.status, ''))"
_CASES = " ".join(f"WHEN '{word}' THEN '{meant}'" for word, meant in _WORDS.items())
_STATE = Column(name="state", sql=f"CASE lower({_WORD}) {_CASES} ELSE {_WORD} END")
_STATE_RAW = text("state_raw", "state", "status")

LAB_ORDER_TESTS = Table(
    name="lab_order_tests",
    scope="clinic",
    key=("lab_order_id", "position"),
    by_position=True,
    history=True,
    copies=BOTH_COPIES,
    columns=(
        ident("lab_test_id", "id", "lab_test_id").published(),
        text("name", "name", "display_name", "title"),
        *_whose(),
        _STATE,
        _STATE_RAW,
    ),
)

# The vendor's rule for naming a result (guide "Mapping tests and results"): the only test's name, else the order's,
# else the result's id.
_LABEL = """coalesce(CASE WHEN json_array_length(rows_tests) = 1 THEN coalesce(
    nullif(rows_tests->>'$[0].name', ''), nullif(rows_tests->>'$[0].display_name', ''),
    nullif(rows_tests->>'$[0].title', '')) END, v_name)"""
_RESULT_NAME = f"coalesce({_OF_ORDER.format(_LABEL)}, nullif(r.id, ''))"

LAB_ORDER_RESULTS = Table(
    name="lab_order_results",
    scope="clinic",
    key=("lab_order_id", "position"),
    by_position=True,
    history=True,
    copies=BOTH_COPIES,
    columns=(
        text("lab_result_id", "id"),
        Column(name="name", sql=_RESULT_NAME),
        text("name_raw", "name", "display_name", "title"),
        *_whose(),
        _STATE.published(),
        _STATE_RAW,
    ),
)

LAB_ORDERS = Table(
    name="lab_orders",
    scope="clinic",
    key=("lab_order_id",),
    history=True,
    copies=BOTH_COPIES,
    columns=(
        reference("patient_id").published(),
        reference("practitioner_id").published(),
        reference("treatment_plan_id").published(),
        text("name", "name", "display_name", "title"),
        _STATE.published(),
        _STATE_RAW,
        text("collection_method", "collection_method", "collection_type", "sample_type"),
    ),
    children=(
        Child(table=LAB_ORDER_TESTS, array="tests", parent_column="lab_order_id"),
        Child(table=LAB_ORDER_RESULTS, array="results", parent_column="lab_order_id"),
    ),
    untyped=("patient", "practitioner", "first_name", "last_name", "email", "latest_aggregated_result"),
)

# What the vendor says of a test beyond its name is not documented: it stays in `extra`.
LAB_TESTS = Table(
    name="lab_tests", scope="clinic", key=("lab_test_id",), columns=(text("name", "name", "display_name", "title"),)
)

LAB_ORDERS_RESOURCE = Resource(
    name="lab_orders",
    texts={
        "lab_orders": "Lab orders and their state, every state kept in history.",
        "lab_order_tests": "The tests of each lab order.",
        "lab_order_results": "Which results are there, never their content or address.",
    },
    tables=(LAB_ORDERS,),
    endpoints=(
        list_of("lab_orders", "/clinic/labs/orders", scopes.ORDERS, "orders", "lab_orders", filters=("patient_id",)),
        detail("lab_order", "/clinic/labs/orders/{id}", scopes.ORDERS, "order", "lab_order"),
    ),
    group="labs",
    contains_phi=True,
    regions=REGIONS_WITH_LABS,
    cadence="Daily, polled whole: most states raise no event; US only",
    request_rules=(
        RequestRule(
            requests="GET /clinic/labs/orders, GET /clinic/labs/orders/{id}",
            number="all pages; of rows without tests also the detail, when the row changed, may still move, or "
            "belongs to the day's share",
            why="most lab states raise no event",
        ),
    ),
    events=EventFamily(
        prefix="lab_order",
        name="labs",
        feed=list_of(
            "lab_order_events", "/events/lab_orders", scopes.ORDERS, "events", filters=("created_at", *SORTING)
        ),
        # REST calls a lab order `order`, the webhook `lab_order`.
        object_names=("lab_order", "order"),
        table="lab_orders",
    ),
)

LAB_TESTS_RESOURCE = Resource(
    name="lab_tests",
    texts={"lab_tests": "What the vendor says of each test of the clinic's lab orders."},
    tables=(LAB_TESTS,),
    endpoints=(detail("lab_test", "/clinic/labs/tests/{id}", None, "test", "lab_test"),),
    group="labs",
    contains_phi=False,
    regions=REGIONS_WITH_LABS,
    cadence="Once per test, then within a week; US only",
    made_from={"lab_tests": ("lab_order_tests",)},
    request_rules=(
        RequestRule(
            requests="GET /clinic/labs/tests/{id}",
            number="each test once, then again within a week",
        ),
    ),
)
