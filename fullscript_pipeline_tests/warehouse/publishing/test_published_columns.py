"""The lists of columns that stay: of the tables as they are described, and without what people wrote."""

import pytest

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import BOTH_COPIES, Copy, Table, text
from fullscript_pipeline.warehouse.publishing.published_columns import PSEUDONYMISED, SHIFTED, Columns


@pytest.mark.parametrize("listed", [PSEUDONYMISED, SHIFTED], ids=["pseudonymised", "shifted"])
def test_every_listed_column_is_one_of_the_table_and_none_is_free_text(listed: Columns) -> None:
    described = {
        f"{schema}.{one.name}": {column.name for column in one.columns} | set(one.key_columns)
        for one in ALL_TABLES
        for schema in ("core", "history")
    }
    ours = {"observed_at", "removed_at", "valid_from", "valid_to", "known_at", "content_hash"}
    for table, columns in listed.items():
        if table in described:
            assert set(columns) <= described[table] | ours, table
    people = {one.name for one in ALL_TABLES if one.scope == "clinic"} - {"categories", "category_products"}
    texts = {"name", "email", "extra", "personal_message", "first_name", "last_name", "order_number", "external_id"}
    for table, columns in listed.items():
        if table.partition(".")[2] in people:
            assert not texts & set(columns), table
            assert not any(part in column for column in columns for part in ("dosage", "text", "raw", "url")), table
    assert not any(table.startswith("ops.") or "staff" in table or "events" in table for table in listed)


def test_a_column_is_in_no_copy_until_it_says_so_and_never_without_its_table() -> None:
    plain = Table(name="visits", scope="clinic", key=("visit_id",), columns=(text("reason"),))
    assert (plain.copies, plain.columns[0].copies) == ((), ())
    table = Table(
        name="visits", scope="clinic", key=("visit_id",), copies=BOTH_COPIES, columns=(text("place").published(),)
    )
    assert table.columns[0].copies == BOTH_COPIES
    with pytest.raises(ValueError, match=r"visits\.reason is in a copy that the table is not in"):
        Table(name="visits", scope="clinic", key=("visit_id",), columns=(text("reason").published(Copy.SHIFTED),))
