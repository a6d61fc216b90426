"""A line that cannot be read, and an array that is missing or no list, leave the stored lines as they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.protocols import PROTOCOLS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading.children import ArrivedLine, StoredLine, match_stored_lines
from fullscript_pipeline_tests.helpers.warehouse_loads import put, rows

# Every array whose lines are known by their place: table, array, what a line is about, where it is stored.
ARRAYS = [
    (TREATMENT_PLANS, "recommendations", "variant_id", "core.recommendations"),
    (TREATMENT_PLANS, "resources", "id", "core.treatment_plan_resources"),
    (ORDERS, "line_items", "variant_id", "core.order_line_items"),
    (PROTOCOLS, "recommendations", "variant_id", "core.protocol_recommendations"),
    (LAB_ORDERS, "tests", "id", "core.lab_order_tests"),
    (LAB_ORDERS, "results", "id", "core.lab_order_results"),
]
IDS = [f"{table.name}-{array}" for table, array, _, _ in ARRAYS]
NO_LINE = "no object"


class Lines:
    """One record with an array of lines, each about a subject, loaded again and again."""

    def __init__(self, warehouse: Warehouse, table: Table, array: str, subject: str, stored: str) -> None:
        self.warehouse, self.table, self.array, self.subject, self.stored = warehouse, table, array, subject, stored
        self._hour = 0

    def put(self, *lines: str, **changes: Any) -> None:
        """Loads the array of these subjects; NO_LINE stands for itself."""
        array = [NO_LINE if line == NO_LINE else {self.subject: line} for line in lines]
        record = {"id": "one", "name": f"at {self._hour}", self.array: array} | changes
        put(self.warehouse, self.table, [record], self._hour)
        self._hour += 1

    def put_each(self, arrays: list[Any]) -> None:
        """A record for each array; texts in a list are subjects."""
        records = [
            {
                "id": f"record {place}",
                "name": f"at {self._hour}",
                self.array: [{self.subject: line} if isinstance(line, str) else line for line in array]
                if isinstance(array, list)
                else array,
            }
            for place, array in enumerate(arrays)
        ]
        put(self.warehouse, self.table, records, self._hour)
        self._hour += 1

    def there(self) -> list[str]:
        columns = [column.name for column in self.table.columns]
        assert columns
        subject = next(child.table.columns[0].name for child in self.table.children if child.array == self.array)
        sql = f"SELECT {subject} FROM {self.stored} WHERE removed_at IS NULL ORDER BY position"
        return [name for (name,) in rows(self.warehouse, sql)]

    def versions(self) -> int:
        schema = "history" if self.table.history else "core"
        return int(rows(self.warehouse, f"SELECT count(*) FROM {schema}.{self.stored.partition('.')[2]}")[0][0])


@pytest.fixture(params=ARRAYS, ids=IDS)
def lines(request: pytest.FixtureRequest, warehouse: Warehouse) -> Lines:
    return Lines(warehouse, *request.param)


def test_a_line_that_cannot_be_read_leaves_the_stored_one(lines: Lines) -> None:
    lines.put("a", "b", "c")
    lines.put("a", NO_LINE, "c")
    assert lines.there() == ["a", "b", "c"]
    assert lines.versions() == 3, "nothing changed, so no version is added"
    lines.put("a", "c")
    assert lines.there() == ["a", "c"], "what is read again is believed"


def test_it_stays_when_lines_before_it_are_added_and_removed(lines: Lines) -> None:
    lines.put("a", "b", "c")
    lines.put("b", NO_LINE)
    assert {"b", "c"} <= set(lines.there()), "a or c is gone; nobody can tell which"
    lines.put("b", "c")
    assert lines.there() == ["b", "c"]
    lines.put("z", "b", NO_LINE)
    assert lines.there() == ["z", "b", "c"]


NO_LISTS: list[Any] = [None, "", "none", 7, True, {}, {"data": []}, {"a": "b"}, {"0": "x"}, [[]]]


def test_an_array_that_is_no_list_says_nothing(lines: Lines) -> None:
    lines.put_each([["a", "b"]] * len(NO_LISTS))
    lines.put_each(NO_LISTS)
    assert lines.there() == ["a"] * len(NO_LISTS) + ["b"] * len(NO_LISTS)
    lines.put_each([[]] * len(NO_LISTS))
    assert lines.there() == []


def test_a_record_without_the_array_says_nothing(lines: Lines) -> None:
    lines.put("a", "b")
    put(lines.warehouse, lines.table, [{"id": "one", "name": "another"}], 5)
    assert lines.there() == ["a", "b"]


def test_what_is_no_list_is_reported(warehouse: Warehouse) -> None:
    put(
        warehouse, ORDERS, [{"id": "o1", "line_items": {"data": [{"variant_id": "v"}]}}, {"id": "o2", "line_items": ""}]
    )
    told = "SELECT table_name, record_key, reason FROM ops.quarantine WHERE resolved_at IS NULL ORDER BY ALL"
    reason = "the record is not an object"
    assert rows(warehouse, told) == [("order_line_items", "o1/0", reason), ("order_line_items", "o2/0", reason)]
    put(warehouse, ORDERS, [{"id": "o1", "line_items": [{"variant_id": "v"}]}, {"id": "o2", "line_items": []}], 1)
    assert rows(warehouse, told) == []


def test_an_array_is_read_as_a_list_of_numbered_members(warehouse: Warehouse) -> None:
    put(warehouse, ORDERS, [{"id": "o1", "line_items": {"2": {"variant_id": "a"}, "10": {"variant_id": "b"}}}])
    assert rows(warehouse, "SELECT variant_id FROM core.order_line_items ORDER BY position") == [("a",), ("b",)]


stored_arrays = st.lists(st.sampled_from("abc"), max_size=5)
arrived_arrays = st.lists(st.tuples(st.sampled_from("abcx"), st.sampled_from(["read", "odd", "unknown"])), max_size=6)


@given(stored_arrays, arrived_arrays)
def test_no_stored_line_is_lost_to_one_that_cannot_be_read(stored: list[str], arrived: list[tuple[str, str]]) -> None:
    had = [StoredLine(at, subject) for at, subject in enumerate(stored)]
    came = [ArrivedLine(at, None if how == "unknown" else who, how == "read") for at, (who, how) in enumerate(arrived)]
    kept = match_stored_lines(had, came)
    read = {line.position for line in came if line.is_read}
    assert not kept.keys() & read, "a line that was read has its place"
    assert len(set(kept.values())) == len(kept), "no stored line is there twice"
    by_place = {line.position: line.subject for line in came}
    after = sorted([by_place[at] or "" for at in read] + [stored[at] for at in kept.values()])
    for subject in set(stored):
        odd_or_read = sum(line.subject == subject for line in came)
        assert after.count(subject) >= min(stored.count(subject), odd_or_read)
        if any(line.subject is None for line in came):
            assert after.count(subject) >= stored.count(subject), "any of them may be the one that nobody can read"
    if all(line.is_read for line in came):
        assert kept == {}
