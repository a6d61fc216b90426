"""A difference is kept once per clinic, with when it was met first and last; a new one warns for a week."""

from datetime import timedelta

import dagster as dg
import pytest

from fullscript_pipeline.orchestration.checks.drift import no_new_drift
from fullscript_pipeline.orchestration.runtime.resources import WarehouseResource, make_resources
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading import drift
from fullscript_pipeline_tests.helpers.warehouse_loads import START, context


def note(warehouse: Warehouse, hour: int, *found: tuple[str, str, str]) -> None:
    with warehouse.write() as con:
        drift.record(con, context(hour), found)
        con.execute("INSERT INTO ops.pulls (observed_at) VALUES (?)", [context(hour).observed_at])


def test_each_difference_is_kept_once(warehouse: Warehouse) -> None:
    colour, word = ("order", "new_key", "colour"), ("order", "unknown_word", "state: lost")
    note(warehouse, 0, colour, colour)
    note(warehouse, 24, word, colour)
    with warehouse.read() as con:
        told = [(one.what, one.seen_at, one.last_seen_at, one.times) for one in drift.listed(con)]
    day = START + timedelta(days=1)
    assert told == [("unknown_word", day, day, 1), ("new_key", START, day, 2)]


def test_a_new_difference_warns_for_a_week(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WarehouseResource, "open", lambda _: warehouse)

    def told() -> dg.AssetCheckResult:
        with dg.build_resources(make_resources(load_settings)) as resources:
            (result,) = (no_new_drift(resources.warehouse),)
        assert isinstance(result, dg.AssetCheckResult)
        return result

    assert told().passed
    note(warehouse, 0, ("order", "new_key", "colour"))
    assert (told().passed, told().description) == (False, "new key order.colour.")
    note(warehouse, 24 * 8, ("order", "new_key", "colour"))
    assert told().passed
