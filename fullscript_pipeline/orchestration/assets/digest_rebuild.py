"""Rebuilding a region's change table and writing its digest page.

What does not belong here: change detection (`catalog`) and the page (`reports`).
"""

from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.catalog import (
    baseline_day,
    build_catalog_changes,
    is_released,
    rebuild_start,
    record_digest,
    release_held_digest,
)
from fullscript_pipeline.orchestration.assets.column_lineage import column_lineage
from fullscript_pipeline.orchestration.assets.page_links import page_links
from fullscript_pipeline.orchestration.runtime import (
    StateResource,
    notice_targets,
    queue_change_notice,
    send_change_notices,
)
from fullscript_pipeline.reports import DigestWritten, ReportStore, write_catalog_digest
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.warehouse import Warehouse


def rebuild_changes(warehouse: Warehouse, region: str, day: date, zone: ZoneInfo) -> int:
    """Rows of `marts.catalog_changes` written for the region: those of `day`, and of days that the mart may lack."""
    with warehouse.write() as con:
        since = rebuild_start(con, region, day, zone)
        return build_catalog_changes(con, region, time_zone=zone, since=since)


def write_digest(
    con: duckdb.DuckDBPyConnection, store: ReportStore, settings: Settings, *, region: str, day: date
) -> DigestWritten:
    """Writes the digest of `day`, compared with the last good digest before it, and records whether it is held.

    The earlier digest is written again first: events may have brought in more changes of its day after it was written,
    and no other digest would list them.

    """
    start = baseline_day(con, region, day, settings.time_zone)
    earlier = None if start is None else _write(con, store, settings, region=region, day=start, is_latest=False)
    return replace(_write(con, store, settings, region=region, day=day, is_latest=True), earlier=earlier)


def _write(
    con: duckdb.DuckDBPyConnection, store: ReportStore, settings: Settings, *, region: str, day: date, is_latest: bool
) -> DigestWritten:
    start = baseline_day(con, region, day, settings.time_zone)
    written = write_catalog_digest(
        con,
        store,
        region=region,
        from_day=start,
        to_day=day,
        rendered_at=clock.now(),
        time_zone=settings.time_zone,
        release=is_released(con, region, day),
        watched_brands=settings.watched_brands,
        base_url=settings.reports_base_url,
        language=settings.language,
        is_latest=is_latest,
    )
    record_digest(con, region, day=day, from_day=start or day, held=written.held)
    return written


def send_digest(state: StateResource, settings: Settings, written: DigestWritten) -> list[str]:
    """Sends what the digest lists, and what is due of earlier ones; a sentence for each try.

    The digest before it may list more than when it was sent: then its message is sent anew, under another id.
    """
    if not notice_targets(settings):
        return []
    with state.open() as store:
        for digest in [*([written.earlier.digest] if written.earlier else []), written.digest]:
            queue_change_notice(settings, store, digest)
        return send_change_notices(settings, store)


def held_sentence(region: str, day: date, held: str) -> str:
    """Why nobody gets this digest yet, and what to do."""
    return (
        f"The catalog digest of {region}, {day}, is held: {held} "
        f"To let it through: `fullscript-pipeline catalog release {day} --region {region}`."
    )


def release_digest(warehouse: Warehouse, region: str, day: date) -> None:
    """Lets a held digest through; it is listed when it is written again. Raises UsageError when it is not held."""
    with warehouse.write() as con:
        release_held_digest(con, region, day, clock.now())


def metadata_of(written: DigestWritten, settings: Settings) -> dict[str, Any]:
    """What the UI shows: counts that plot, a short table, the pages. Catalog data and counts only."""
    digest = written.digest
    found: dict[str, Any] = {f"lane_{name}": count for name, count in written.counts.items()}
    found |= {
        "products_seen": digest.coverage.products,
        "products_first_seen": digest.coverage.first_seen,
        "changes": dg.MetadataValue.md(_table(written)),
        **column_lineage("reports/catalog_digest"),
    }
    pages = {"page": written.path} | ({"watched_page": written.watched} if written.watched else {})
    return found | page_links(settings, **pages)


def _table(written: DigestWritten) -> str:
    """Lanes with their counts and what is on top of each, as markdown."""
    digest = written.digest
    if written.held:
        return f"Held: {written.held}"
    lines = [f"Against {digest.from_day}.", "", "| lane | changes | the first |", "|---|---:|---|"]
    for section in digest.sections:
        if section.rows:
            row = section.rows[0]
            what = " / ".join(part for part in (row.brand_name, row.product_name or row.entity_name) if part)
            told = f"{what or row.entity_id}: {row.field or row.change}"
            lines.append(f"| {section.title} | {len(section.rows):,} | {_cell(told)} |")
    return "\n".join(lines) if digest.rows else f"Against {digest.from_day}: no changes."


def _cell(words: str) -> str:
    """Text of the vendor as a cell: nothing in it is markup."""
    plain = "".join(char if char.isalnum() or char in " .,:/()&'+-%" else " " for char in words)
    return " ".join(plain.split())[:120]
