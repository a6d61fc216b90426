"""An event that names no object is answered by a whole list only of who sees no less than everybody before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.extraction.engine import Load, Pull, Target
from fullscript_pipeline.extraction.pulls.orders import pull_orders
from fullscript_pipeline.refresh import product_resolution
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.warehouse.event_log.event_history import answer_unnamed
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, FreeBudget, Sleeps, SomeTokens
from fullscript_pipeline_tests.helpers.stub_server import OddServer, Reply, odd_server

NOW = datetime.now(UTC)


@contextmanager
def session_of(user: str, server: OddServer) -> Iterator[ClinicSession]:
    parts = {"client": HttpClient(), "tokens": SomeTokens(), "budget": FreeBudget(), "retry": Sleeps().policy()}
    with ClinicSession(CLINIC, server.url, **parts, user_id=user) as session:  # type: ignore[arg-type]
        yield session


def order(order_id: str) -> dict[str, object]:
    return {"id": order_id, "patient_id": "p", "completed_at": NOW.isoformat(), "line_items": []}


def note_event(target: Target) -> None:
    """An event of three days ago, without an object, is noted and waits."""
    with target.warehouse.write() as con:
        con.execute(
            "INSERT INTO core.events (clinic_id, event_id, event_type, created_at, observed_at) VALUES (?, ?, ?, ?, ?)",
            [CLINIC.clinic_id, "e1", "order.placed", NOW - timedelta(days=3), NOW],
        )


def outcome(target: Target) -> str | None:
    with target.warehouse.read() as con:
        ((found,),) = con.execute("SELECT outcome FROM core.events").fetchall()
    return str(found) if found else None


@pytest.mark.parametrize("shown_to_bert", [["o1"], ["o1", "o2"]])
def test_a_list_of_who_sees_less_answers_no_unnamed_event(target: Target, shown_to_bert: list[str]) -> None:
    shown = ["o1", "o2"]
    with odd_server(lambda _: Reply(body={"orders": [order(one) for one in shown]})) as server:
        with session_of("anna", server) as session:
            pull_orders(target, session)
        shown[:] = shown_to_bert
        note_event(target)
        with session_of("bert", server) as session:
            pull_orders(target, session)
            assert outcome(target) == (None if len(shown_to_bert) < 2 else "relisted")
            with target.warehouse.write() as con:
                con.execute("CREATE OR REPLACE TEMP TABLE ctx AS SELECT ? AS clinic_id, now() AS observed_at", ["c-1"])
                answer_unnamed(con)
            assert outcome(target) == (None if len(shown_to_bert) < 2 else "relisted")
        shown[:] = ["o1", "o2"]
        with session_of("anna", server) as session:
            pull_orders(target, session)
    assert outcome(target) == "relisted"


def test_product_events_are_moot_after_a_list_of_the_whole_catalog_only(target: Target) -> None:
    region = replace(target, clinic=None)
    Pull(region, "products_by_id").commit(Load(table=PRODUCTS, lines=lambda: iter(())))
    assert product_resolution.catalog_listed_at(target.warehouse, "us") is None
    Pull(region, "products").commit(Load(table=PRODUCTS, lines=lambda: iter(()), missing_among=EVERYTHING))
    assert product_resolution.catalog_listed_at(target.warehouse, "us") is not None
