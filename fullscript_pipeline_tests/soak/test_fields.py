"""Promise 35 in full numbers: each field of each table in many wrong spellings, alone."""

from pathlib import Path

import pytest

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.warehouse_loads import rows
from fullscript_pipeline_tests.helpers.wrong_fields import Cost, cost

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


def test_one_bad_value_costs_one_value(tmp_path: Path) -> None:
    total, noted = Cost(), 0
    for table in ALL_TABLES:
        warehouse = Warehouse(tmp_path / f"{table.name}.duckdb")
        migrate(warehouse, [])
        found = cost(warehouse, table)
        total.tried += found.tried
        total.lost += found.lost
        total.untold += found.untold
        total.set_aside += found.set_aside
        noted += len(rows(warehouse, "SELECT * FROM ops.drift WHERE what IN ('untyped', 'rounded')"))
    report_promise(
        "promise 35, one bad value costs one value",
        tables=len(ALL_TABLES),
        spellings=total.tried,
        other_values_lost=len(total.lost),
        texts_lost=len(total.untold),
        set_aside=len(total.set_aside),
        of=",".join(sorted(set(total.set_aside))),
        fields_noted=noted,
    )
    assert total.lost == total.untold == []
