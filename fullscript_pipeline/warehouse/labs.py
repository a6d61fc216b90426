"""Lab orders with their tests and results: who waits for what, never the results themselves.

Results are named and dated only; their short-lived addresses are dropped before landing (`landing.SECRET_KEYS`).
"""

from fullscript_pipeline.warehouse.tables import Child, Column, Table, reference, text

LAB_ORDER_TESTS = Table(
    "lab_order_tests",
    "clinic",
    key=("lab_order_id", "position"),
    by_position=True,
    history=True,
    columns=(text("lab_test_id", "id", "lab_test_id"), text("name", "name", "display_name", "title")),
)

# The vendor's rule for naming a result (guide "Mapping tests and results"): the only test's name, else the order's,
# else the result's id. Children are staged while their parents are in `incoming` (`merge.stage`).
_RESULT_NAME = """coalesce((SELECT label FROM (SELECT id AS order_id, coalesce(
        CASE WHEN len(rows_tests) = 1 THEN coalesce(nullif(rows_tests[1]->>'$.name', ''),
            nullif(rows_tests[1]->>'$.display_name', ''), nullif(rows_tests[1]->>'$.title', '')) END, v_name) AS label
    FROM incoming) WHERE order_id = parent_id), nullif(r.id, ''))"""

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
        text("state", "state", "status"),
    ),
)

# Webhooks use other words than REST for the same states; the REST words are kept, an unknown one stands as it is.
_STATE = """CASE lower(coalesce(nullif(r.state, ''), nullif(r.status, '')))
    WHEN 'results_received' THEN 'partial_results'
    WHEN 'all_results_received' THEN 'results_ready'
    ELSE lower(coalesce(nullif(r.state, ''), nullif(r.status, ''))) END"""

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
        Column("state", sql=_STATE),
        text("state_raw", "state", "status"),
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
