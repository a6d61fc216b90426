"""Writes the catalog digest: the page with its sections, its exports, the digest of watched brands, the list of days.

What does not belong here: finding and sorting changes (the catalog room), brand pages (brands.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import orjson

from fullscript_pipeline.catalog import (
    JSONL_SCHEMA,
    JSONL_VERSION,
    CatalogChange,
    Digest,
    baseline_day,
    digest_between,
    digest_title,
    last_observed,
    plans_sum_text,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.brands import brand_ids, write_brand_pages
from fullscript_pipeline.reports.change_rows import rows_of
from fullscript_pipeline.reports.language import ENGLISH
from fullscript_pipeline.reports.store import ReportStore, file_id
from fullscript_pipeline.reports.templating import render

# How many rows of a section the page shows after the first ten. The CSV file has all.
MORE = 190
_LINES = f"v{JSONL_VERSION}.jsonl"


@dataclass(frozen=True, slots=True)
class DigestWritten:
    """The digest, its page, and its counts per section. `held`: why it lists nothing. No health data."""

    path: Path
    counts: Mapping[str, int]
    held: str | None
    digest: Digest
    watched: Path | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """The brands of a watch list: the names in the setting, their ids in this region, and the names it lacks."""

    names: Sequence[str]
    ids: Collection[str]
    missing: Sequence[str]


def render_catalog_digest(
    digest: Digest,
    *,
    rendered_at: datetime,
    time_zone: ZoneInfo,
    store: ReportStore | None = None,
    watched: Watched | None = None,
) -> str:
    """The page's HTML. With a `store` it links to its neighbours, to its exports and to the brand pages."""
    days = store.digest_days(digest.region) if store else []
    before = max((day for day in days if day < digest.to_day), default=None)
    after = min((day for day in days if day > digest.to_day), default=None)
    shown = [] if digest.held else [(section, section.top(10 + MORE)) for section in digest.sections]
    return render(
        "digest.html.j2",
        ENGLISH,
        digest=digest,
        title=digest_title(digest),
        sections=[(section, [rows_of(entry, digest) for entry in top]) for section, top in shown],
        plans_sum_text=plans_sum_text,
        rendered_text=formatting.zoned(ENGLISH, rendered_at, time_zone),
        before=before,
        after=after,
        linked=store is not None,
        lines=_LINES,
        up="../" if watched else "",
        watched=watched,
        pages=_brand_pages(store, digest) if store else {},
    )


def write_catalog_digest(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    *,
    region: str,
    to_day: date,
    rendered_at: datetime,
    time_zone: ZoneInfo,
    from_day: date | None = None,
    release: bool = False,
    watched_brands: Sequence[str] = (),
    base_url: str | None = None,
) -> DigestWritten:
    """Write the digest of `to_day`, its exports, the brand pages and feeds, the watched brands' digest, and the list of
    days. It is compared with `from_day` (None: the day of the last digest that was not held, else the last day observed
    before).

    The first observed day is the baseline: its page says so and lists nothing. A held digest lists nothing either,
    until it is written again with `release`. Raises UsageError if the days cannot be compared.
    """
    start = from_day or baseline_day(con, region, to_day, time_zone)
    if start is None and last_observed(con, region, to_day, time_zone) is None:
        raise UsageError(f"Region {region!r} has no catalog on or before {to_day}; pull it first.")
    digest = digest_between(con, region, start or to_day, to_day, time_zone=time_zone, release=release)
    rendered_text = formatting.zoned(ENGLISH, rendered_at, time_zone)
    if not digest.held:
        write_brand_pages(con, store, region=region, day=to_day, rendered_text=rendered_text, base_url=base_url)
    path = store.path_for_digest(region, to_day)
    store.write(path, render_catalog_digest(digest, rendered_at=rendered_at, time_zone=time_zone, store=store))
    rows: Sequence[CatalogChange] = [] if digest.held else digest.rows
    store.write(store.path_for_digest(region, to_day, "csv"), to_csv(rows, suppress_small=True))
    lines = "".join(f"{line}\n" for line in to_jsonl(rows, suppress_small=True))
    store.write(store.path_for_digest(region, to_day, _LINES), lines)
    schema = orjson.dumps(JSONL_SCHEMA, option=orjson.OPT_INDENT_2).decode() + "\n"
    store.write(path.with_name(f"schema.v{JSONL_VERSION}.json"), schema)
    watched = None
    if watched_brands:
        chosen = _find_watched(con, region, watched_brands)
        watched = store.path_for_watched(region, to_day)
        mine = digest.for_brands(chosen.ids)
        html = render_catalog_digest(mine, rendered_at=rendered_at, time_zone=time_zone, store=store, watched=chosen)
        store.write(watched, html)
        csv = to_csv([] if digest.held else mine.rows, suppress_small=True)
        store.write(store.path_for_watched(region, to_day, "csv"), csv)
    html = render(
        "digests.html.j2", ENGLISH, region=region, days=store.digest_days(region), rendered_text=rendered_text
    )
    store.write(store.path_for_digest(region), html)
    return DigestWritten(path=path, counts=digest.counts, held=digest.held, digest=digest, watched=watched)


def _find_watched(con: duckdb.DuckDBPyConnection, region: str, names: Sequence[str]) -> Watched:
    """Finds the watched brands in this region. A missing brand is listed on the page; regions differ."""
    known = brand_ids(con, region)
    ids_by_name = {name: known.get(name) or known.get(name.casefold()) for name in names}
    ids = {brand_id for brand_ids in ids_by_name.values() if brand_ids for brand_id in brand_ids}
    return Watched(list(names), ids, [name for name, brand_ids in ids_by_name.items() if not brand_ids])


def _brand_pages(store: ReportStore, digest: Digest) -> dict[str, str]:
    """File names of the brand pages that exist, by brand id."""
    ids = {row.brand_id for row in digest.rows if row.brand_id}
    return {
        brand_id: f"brands/{file_id(brand_id)}.html"
        for brand_id in ids
        if store.path_for_brand(digest.region, brand_id).exists()
    }
