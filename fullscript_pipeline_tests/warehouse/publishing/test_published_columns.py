"""The lists of columns that stay: of the tables as they are described, and without what people wrote."""

import pytest

from fullscript_pipeline.resources import ALL_TABLES
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
