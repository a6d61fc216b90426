"""Products and variants that no list holds: one 404 is no proof, two of every clinic an hour apart are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.extraction.engine import Load, Pull, Target
from fullscript_pipeline.extraction.pulls.known_products import pull_known_products
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import make_line, parse_line
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, session_at
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server

MORNING = datetime(2026, 11, 28, 6, tzinfo=UTC)
PRODUCT: dict[str, Any] = {"id": "p", "name": "C", "description_html": None, "dosage": {}}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("FULLSCRIPT_NOW", MORNING.isoformat())
    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    made = Target(
        warehouse=warehouse,
        landing_dir=tmp_path / "landing",
        encryption_key=None,
        server=CLINIC.server,
        region=CLINIC.region,
        day=MORNING.date(),
        run_id="run",
        clinic=CLINIC,
    )
    stored = parse_line(make_line({**PRODUCT, "variants": [{"id": one, "units": 60} for one in ("v", "w")]}))
    Pull(made, "seed").commit(Load(table=PRODUCTS, lines=lambda: iter([stored])))
    return made


def _there(target: Target, table: str, key: str) -> list[str]:
    with target.warehouse.read() as con:
        rows = con.execute(f"SELECT {key} FROM core.{table} WHERE removed_at IS NULL ORDER BY 1").fetchall()
    return [one for (one,) in rows]


def _pull(
    target: Target, denied: set[str], *, after: timedelta, everybody: bool = True, read: frozenset[str] = frozenset()
) -> None:
    def answer(seen: Seen) -> Reply:
        kind, one = seen.path.split("/")[-2:]
        if one in denied:
            return Reply(status=404)
        if kind == "products":
            return Reply(body={"product": {**PRODUCT, "variants": ["v", "w"]}})
        return Reply(body={"variant": {"id": one, "units": 90, "product": {"id": "p"}}})

    moved = pytest.MonkeyPatch()
    with moved.context() as patch, odd_server(answer) as server, session_at(server.url) as session:
        patch.setenv("FULLSCRIPT_NOW", (MORNING + after).isoformat())
        assert clock.now() == MORNING + after
        pull_known_products(target, [session], set(read), asks_every_clinic=everybody)


def test_a_product_is_gone_after_two_404s_an_hour_apart(target: Target) -> None:
    for minutes, there in ((1, ["p"]), (60, ["p"]), (61, [])):
        _pull(target, {"p"}, after=timedelta(minutes=minutes))
        assert _there(target, "products", "product_id") == there


def test_a_product_that_was_read_in_between_was_not_gone(target: Target) -> None:
    for hours, denied in ((1, {"p"}), (2, set[str]()), (3, {"p"})):
        _pull(target, denied, after=timedelta(hours=hours))
        assert _there(target, "products", "product_id") == ["p"]


def test_nothing_is_gone_while_a_clinic_cannot_be_asked(target: Target) -> None:
    for hours in (1, 3, 5):
        _pull(target, {"p"}, after=timedelta(hours=hours), everybody=False)
    assert _there(target, "products", "product_id") == ["p"]


def test_a_variant_that_its_product_names_and_one_404_denies_is_kept(target: Target) -> None:
    _pull(target, {"w"}, after=timedelta(hours=1))
    assert _there(target, "variants", "variant_id") == ["v", "w"]
    _pull(target, {"w"}, after=timedelta(hours=3))
    assert _there(target, "variants", "variant_id") == ["v"]


def test_a_variant_that_is_denied_stays_with_another_product_that_is_stored_with_it(target: Target) -> None:
    other = parse_line(make_line({**PRODUCT, "id": "q", "variants": [{"id": "w", "units": 60}]}))
    Pull(target, "seed q").commit(Load(table=PRODUCTS, lines=lambda: iter([other])))
    for hours in (1, 3):
        _pull(target, {"w"}, after=timedelta(hours=hours), read=frozenset({"q"}))
    assert _there(target, "variants", "variant_id") == ["v", "w"]
    with target.warehouse.read() as con:
        rows = con.execute("SELECT product_id FROM core.variants WHERE variant_id = 'w'").fetchall()
    assert rows == [("q",)]
