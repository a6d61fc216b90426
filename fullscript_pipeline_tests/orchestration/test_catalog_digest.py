"""A held digest: what is remembered, what the next day is compared with, how it is let through."""

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fullscript_pipeline.cli.main import main
from fullscript_pipeline.cli.run_partitions import PlannedRun, execute_runs
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.assets import catalog as assets
from fullscript_pipeline.orchestration.assets import digest_rebuild
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.partitions import region_partition
from fullscript_pipeline.reports import DigestWritten, ReportStore
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline_tests.helpers.catalog_history import noon, nov, observe


class Region:
    """A data directory whose US catalog is observed, built and digested day by day."""

    def __init__(self) -> None:
        self.warehouse = open_warehouse(load_settings())
        self.store = ReportStore(load_settings().reports_dir)

    def day(self, number: int, world: dict[str, Any]) -> DigestWritten:
        with self.warehouse.write() as con:
            observe(con, world, noon(number))
        return self.again(number)

    def again(self, number: int) -> DigestWritten:
        settings = load_settings()
        digest_rebuild.rebuild_changes(self.warehouse, "us", nov(number), settings.time_zone)
        with self.warehouse.write() as con:
            return digest_rebuild.write_digest(con, self.store, settings, region="us", day=nov(number))


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Region]:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-25T12:00:00Z")
    monkeypatch.setenv("FULLSCRIPT_START_DATE", "2026-11-19")
    monkeypatch.setenv("FULLSCRIPT_WATCHED_BRANDS", "northwind, Elsewhere")
    yield Region()


def test_a_run_that_reads_products_alone_says_that_nothing_is_compared() -> None:
    products, digest = dg.AssetKey(["core", "products"]), dg.AssetKey(["reports", "catalog_digest"])
    assert "compares nothing" in (assets.missing_comparison({products}) or "")
    assert assets.missing_comparison({products, digest}) is None
    assert assets.missing_comparison(None) is None


def world(products: int = 20) -> dict[str, Any]:
    named = {f"p{n}": {"name": f"Product {n}", "brand_id": "b1"} for n in range(products)}
    return {"brands": {"b1": {"name": "Northwind", "status": "available"}}, "products": named}


def test_a_fault_that_is_repaired_leaves_no_trace_in_the_next_digest(region: Region) -> None:
    assert region.day(20, world()).held is None
    held = region.day(21, world(10))
    assert held.held is not None
    assert "10 of 20 products (50 %) are gone at once" in held.held
    repaired = region.day(22, world())
    assert repaired.held is None
    assert repaired.digest.from_day == nov(20)
    assert repaired.digest.rows == []


def test_what_events_bring_in_after_a_digest_was_made_is_in_it_the_next_day(region: Region) -> None:
    region.day(20, world())
    region.day(21, world())
    renamed = world()
    renamed["products"]["p3"] = {"name": "Renamed by a refresh", "brand_id": "b1"}
    with region.warehouse.write() as con:
        observe(con, renamed, noon(21) + timedelta(hours=6))
    page = region.store.path_for_digest("us", nov(21))
    assert "Renamed by a refresh" not in page.read_text(encoding="utf-8")
    assert region.day(22, renamed).digest.rows == [], "it is of the day before"
    assert "Renamed by a refresh" in page.read_text(encoding="utf-8")


def test_a_held_digest_is_let_through_by_a_person_and_stays_so(region: Region) -> None:
    region.day(20, world())
    region.day(21, world(10))
    with pytest.raises(UsageError, match=r"2026-11-20, is not held; held days: 2026-11-21\."):
        digest_rebuild.release_digest(region.warehouse, "us", nov(20))
    digest_rebuild.release_digest(region.warehouse, "us", nov(21))
    for _ in range(2):
        released = region.again(21)
        assert released.held is None
        assert released.counts["removed"] == 10
    assert region.day(22, world(10)).digest.from_day == nov(21)


def test_release_on_the_command_line_turns_the_red_square_green(
    region: Region, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The daily run stops at a held digest; the command writes it and materializes it in the same grid."""
    region.day(20, world())
    with region.warehouse.write() as con:
        observe(con, world(10), noon(21))
    instance = open_instance(load_settings())
    keys = frozenset([*assets.catalog_changes.keys, *assets.catalog_digest.keys])
    cell = PlannedRun(
        label="us 2026-11-21", job="catalog_daily", partition=region_partition("us", nov(21)), assets=keys
    )
    code, ((_, outcome),) = execute_runs(instance, [cell])
    assert code == 1
    assert "catalog release 2026-11-21 --region us" in outcome.failures[0].sentence
    assert "reports/catalog_digest" not in outcome.materialized
    page = region.store.path_for_digest("us", nov(21))
    assert "Held:" in page.read_text(encoding="utf-8")
    digest_key = next(iter(assets.catalog_digest.keys))
    assert _cells(instance, digest_key) == []
    capfd.readouterr()
    assert _command(monkeypatch, "release", "2026-11-21", "--region", "us") == 0
    assert capfd.readouterr().out.strip() == str(page)
    assert "Gone: 10" in " ".join(page.read_text(encoding="utf-8").split())
    assert _cells(instance, digest_key) == [region_partition("us", nov(21))]
    assert _command(monkeypatch, "release", "2026-11-21", "--region", "us") == 2
    assert "is not held; none is held, so there is nothing to release." in capfd.readouterr().err
    instance.dispose()


def _cells(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[str]:
    return sorted(instance.get_materialized_partitions(key))


def _command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fullscript-pipeline", "catalog", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_the_ui_gets_counts_a_short_table_and_no_markup_of_the_vendor(region: Region) -> None:
    region.day(20, world())
    changed = world()
    changed["products"]["p1"]["name"] = "<b>[x](http://evil)</b> | Product"
    shown = digest_rebuild.metadata_of(region.day(21, changed), load_settings())
    assert shown["lane_facts"] == 1
    assert sum(isinstance(value, int) for value in shown.values()) <= 15
    table = shown["changes"].value
    assert "| Dosage and label facts | 1 |" in table
    assert "<" not in table
    assert "](" not in table
    assert Path(shown["watched_page"].value).name == f"{date(2026, 11, 21)}.html"


def test_the_sentence_of_a_held_digest_says_how_to_release_it() -> None:
    told = digest_rebuild.held_sentence("us", nov(21), "Much.")
    assert told.endswith("`fullscript-pipeline catalog release 2026-11-21 --region us`.")
