"""Lab orders with their tests and results: who waits for what, never the results themselves.

Results are named and dated only; their short-lived addresses are dropped before landing (`landing.SECRET_KEYS`).

What does not belong here: how lab orders are pulled (`extraction`), the states that a page names
(`reports.lab_states`).
"""

from fullscript_pipeline.warehouse.schema.table_description import Child, Column, Table, ident, reference, text

# Children are staged while their parents are in `incoming` (`staging.stage`).
_OF_ORDER = "(SELECT label FROM (SELECT id AS order_id, {} AS label FROM incoming) WHERE order_id = parent_id)"


def _whose() -> tuple[Column, ...]:
    """Whom the order is for, and who ordered it."""
    return tuple(Column(name, sql=_OF_ORDER.format(f"v_{name}")) for name in ("patient_id", "practitioner_id"))


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
_STATE = (
    Column("state", sql=f"CASE lower({_WORD}) {_CASES} ELSE {_WORD} END"),
    text("state_raw", "state", "status"),
)

LAB_ORDER_TESTS = Table(
    "lab_order_tests",
    "clinic",
    key=("lab_order_id", "position"),
    by_position=True,
    history=True,
    columns=(
        ident("lab_test_id", "id", "lab_test_id"),
        text("name", "name", "display_name", "title"),
        *_whose(),
        *_STATE,
    ),
)

# The vendor's rule for naming a result (guide "Mapping tests and results"): the only test's name, else the order's,
# else the result's id.
_LABEL = """coalesce(CASE WHEN json_array_length(rows_tests) = 1 THEN coalesce(
    nullif(rows_tests->>'$[0].name', ''), nullif(rows_tests->>'$[0].display_name', ''),
    nullif(rows_tests->>'$[0].title', '')) END, v_name)"""
_RESULT_NAME = f"coalesce({_OF_ORDER.format(_LABEL)}, nullif(r.id, ''))"

LAB_ORDER_RESULTS = Table(
    "lab_order_results",
    "clinic",
    key=("lab_order_id", "position"),
    by_position=True,
    history=True,
    columns=(
        text("lab_result_id", "id"),
        Column("name", sql=_RESULT_NAME),
        text("name_raw", "name", "display_name", "title"),
        *_whose(),
        *_STATE,
    ),
)

LAB_ORDERS = Table(
    "lab_orders",
    "clinic",
    key=("lab_order_id",),
    history=True,
    columns=(
        reference("patient_id"),
        reference("practitioner_id"),
        reference("treatment_plan_id"),
        text("name", "name", "display_name", "title"),
        *_STATE,
        text("collection_method", "collection_method", "collection_type", "sample_type"),
    ),
    children=(
        Child(LAB_ORDER_TESTS, "tests", "lab_order_id"),
        Child(LAB_ORDER_RESULTS, "results", "lab_order_id"),
    ),
    untyped=("patient", "practitioner", "first_name", "last_name", "email", "latest_aggregated_result"),
)

# What the vendor says of a test beyond its name is not documented: it stays in `extra`.
LAB_TESTS = Table("lab_tests", "clinic", key=("lab_test_id",), columns=(text("name", "name", "display_name", "title"),))
