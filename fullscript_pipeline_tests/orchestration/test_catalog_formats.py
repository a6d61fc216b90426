"""A scripted day of the sandbox's catalog says the same in every format: page, terminal, CSV, JSON Lines, Excel, Atom,
and the message to other programs."""

import csv
import io
import json
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import open_session
from fullscript_pipeline.catalog import CatalogChange, Digest, digest_message, format_table
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.pulls import catalog
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.orchestration.assets import digest_rebuild
from fullscript_pipeline.reports import DigestWritten, ReportStore
from fullscript_pipeline.reports.catalog_workbooks import SHEETS
from fullscript_pipeline.reports.feeds import change_sentence
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline_tests.helpers.atom_feeds import ATOM, parse_valid_feed
from fullscript_pipeline_tests.helpers.html import read
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.workbooks import Cell, Row, read_tables

DAYS = 4
Fact = tuple[str, str, str, str | None, str | None, str | None]


def _pull_and_digest(connected: Connected, warehouse: Warehouse, store: ReportStore, region: str) -> DigestWritten:
    """Today's catalog of a region, and its digest with all files."""
    settings, day = connected.settings, clock.today(connected.settings.time_zone)
    with ExitStack() as opened:
        clinics = [clinic for clinic in connected.store.clinics.all() if clinic.region == region]
        sessions = [opened.enter_context(open_session(settings, connected.store, clinic)) for clinic in clinics]
        target = Target(
            warehouse=warehouse,
            landing_dir=settings.landing_dir,
            encryption_key=None,
            server=clinics[0].server,
            region=region,
            day=day,
            run_id="run",
            clinic=None,
        )
        catalog.pull_reference_lists(target, sessions)
        catalog.pull_products(target, sessions)
    digest_rebuild.rebuild_changes(warehouse, region, day, settings.time_zone)
    with warehouse.write() as con:
        return digest_rebuild.write_digest(con, store, settings, region=region, day=day)


def _facts(rows: list[CatalogChange]) -> list[Fact]:
    return [(row.entity, row.entity_id, row.change, row.field, row.old_value, row.new_value) for row in rows]


@pytest.mark.check_all
@pytest.mark.timeout(300)
def test_every_format_of_a_digest_says_the_same(tmp_path: Path) -> None:
    with connected_pipeline(tmp_path, patients=6, products=60) as connected:
        warehouse, store = open_warehouse(connected.settings), ReportStore(connected.settings.reports_dir)
        for region in ("us", "ca"):
            _pull_and_digest(connected, warehouse, store, region)
        listed = 0
        for _ in range(DAYS):
            happened = connected.sandbox.control.advance(days=1)
            connected.set_clock()
            for region in ("us", "ca"):
                written = _pull_and_digest(connected, warehouse, store, region)
                digest = written.digest
                listed += len(digest.rows)
                _compare_formats(written, store)
                if region == "ca":
                    moved = sum(row.field == "msrp" for row in digest.rows)
                    assert moved == _tally(happened, "prices_moved"), "what the script did is what is listed"
        assert listed > 20


def _tally(happened: dict[str, Any], name: str) -> int:
    return int(happened["regions"]["ca"].get(name, 0))


def _compare_formats(written: DigestWritten, store: ReportStore) -> None:
    digest, path = written.digest, written.path
    facts = _facts(digest.rows)
    lines = [json.loads(line) for line in path.with_suffix(".v1.jsonl").read_text(encoding="utf-8").splitlines()]
    keys = ("entity", "entity_id", "change", "field", "old_value", "new_value")
    assert [tuple(line[key] for key in keys) for line in lines] == facts
    assert _from_csv(path.with_suffix(".csv")) == facts
    _compare_workbook(digest, read_tables(path.with_suffix(".xlsx")))
    _compare_feeds(digest, store)
    message = digest_message(digest, page=None, replaces=None)
    sent = [change for section in message["sections"] for change in section["changes"]]
    assert [tuple(change[key] for key in keys) for change in sent] == facts
    text, page = format_table(digest), " ".join(read(path).text.split())
    for section in digest.sections:
        if section.entries:
            assert f"{section.title}: {len(section.entries):,}" in text
            assert f"{section.title} ({len(section.entries):,})" in page
            assert message["counts"][section.key] == len(section.entries)
        else:
            assert f"{section.title}: " not in text
            assert f"{section.title} (" not in page


def _from_csv(path: Path) -> list[Fact]:
    rows = csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""))
    return [
        (
            row["entity"],
            row["entity_id"],
            row["change"],
            row["field"] or None,
            row["old_value"] or None,
            row["new_value"] or None,
        )
        for row in rows
    ]


def _compare_workbook(digest: Digest, tables: dict[str, list[Row]]) -> None:
    assert [name for name in tables if name != "about"] == [SHEETS[part.key] for part in digest.sections if part.rows]
    for section in digest.sections:
        rows = tables.get(SHEETS[section.key], [])
        assert len(rows) == len(section.rows)
        for cells, change in zip(rows, section.rows, strict=True):
            assert cells["object id"].value == change.entity_id
            assert cells["changed on"].day == change.changed_on
            for name, value in (("old", change.old_value), ("new", change.new_value)):
                assert _same(cells.get(name), value), (name, change)


def _same(cell: Cell | None, value: str | None) -> bool:
    if cell is None:
        return value is None
    return Decimal(cell.value) == Decimal(value or "") if cell.kind == "n" else cell.value == value


def _compare_feeds(digest: Digest, store: ReportStore) -> None:
    def lines(path: str) -> list[str]:
        feed = parse_valid_feed(store.path_for_feed(digest.region, path).read_bytes())
        for entry in feed.findall(f"{ATOM}entry"):
            if (entry.findtext(f"{ATOM}id") or "").endswith(digest.to_day.isoformat()):
                return sorted((entry.findtext(f"{ATOM}summary") or "").split("\n"))
        return []

    def sentences(rows: list[CatalogChange]) -> list[str]:
        return sorted(change_sentence(row, digest.variants_with(row)) for row in rows)

    assert lines("changes.atom") == sentences(digest.rows)
    for section in digest.sections:
        assert lines(f"sections/{section.key}.atom") == sentences(section.rows)
