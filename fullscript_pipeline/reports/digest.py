"""The catalog digest as a page: lanes, top rows, coverage, counts per field; its exports; the list of digests.

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
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.brands import brand_ids, write_brand_pages
from fullscript_pipeline.reports.change_rows import row_of
from fullscript_pipeline.reports.store import ReportStore, file_id
from fullscript_pipeline.reports.templating import render

# Rows of a lane on the page after the first ten; the CSV beside it has all.
MORE = 190
_LINES = f"v{JSONL_VERSION}.jsonl"


@dataclass(frozen=True, slots=True)
class DigestWritten:
    """Where the digest is and its counts per lane; `held` says why nothing is listed. No health data."""

    path: Path
    counts: Mapping[str, int]
    held: str | None
    digest: Digest
    watched: Path | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """The brands of a watch list: names as they were given, and the ids that this region knows them by."""

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
    """The page's HTML. With a `store`, links to its neighbours, to its exports and to the brands' pages."""
    days = store.digest_days(digest.region) if store else []
    before = max((day for day in days if day < digest.to_day), default=None)
    after = min((day for day in days if day > digest.to_day), default=None)
    shown = [] if digest.held else [(lane, lane.top(10 + MORE)) for lane in digest.sections]
    return render(
        "digest.html.j2",
        digest=digest,
        title=digest_title(digest),
        sections=[(lane, [row_of(one, digest.variants_with(one)) for one in top]) for lane, top in shown],
        made=formatting.moment(rendered_at, time_zone),
        before=before,
        after=after,
        linked=store is not None,
        lines=_LINES,
        up="../" if watched else "",
        watched=watched,
        pages=_pages(store, digest) if store else {},
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
    """Write the digest of `to_day` against `from_day` (None: the last digest that was not held, else the last day
    observed before), its exports, the brands' pages and feeds, the digest of the watched brands, the list of days.

    The first observed day is the baseline: its page says so and lists nothing. A held digest lists nothing either
    until it is written again with `release`. Raises UsageError when the days cannot be compared.
    """
    start = from_day or baseline_day(con, region, to_day, time_zone)
    if start is None and last_observed(con, region, to_day, time_zone) is None:
        raise UsageError(f"Region {region!r} has no catalog on or before {to_day}; pull it first.")
    digest = digest_between(con, region, start or to_day, to_day, time_zone, release=release)
    made = formatting.moment(rendered_at, time_zone)
    if not digest.held:
        write_brand_pages(con, store, region=region, day=to_day, made=made, base_url=base_url)
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
        chosen = _watched(con, region, watched_brands)
        watched = store.path_for_watched(region, to_day)
        mine = digest.for_brands(chosen.ids)
        html = render_catalog_digest(mine, rendered_at=rendered_at, time_zone=time_zone, store=store, watched=chosen)
        store.write(watched, html)
        csv = to_csv([] if digest.held else mine.rows, suppress_small=True)
        store.write(store.path_for_watched(region, to_day, "csv"), csv)
    html = render("digests.html.j2", region=region, days=store.digest_days(region), made=made)
    store.write(store.path_for_digest(region), html)
    return DigestWritten(path, digest.counts, digest.held, digest, watched)


def _watched(con: duckdb.DuckDBPyConnection, region: str, wanted: Sequence[str]) -> Watched:
    """A brand that this region does not have is told on the page and is no error: regions differ."""
    known = brand_ids(con, region)
    found = {name: known.get(name) or known.get(name.casefold()) for name in wanted}
    ids = {one for several in found.values() if several for one in several}
    return Watched(list(wanted), ids, [name for name, several in found.items() if not several])


def _pages(store: ReportStore, digest: Digest) -> dict[str, str]:
    """File names of the brand pages that exist, by brand id."""
    ids = {row.brand_id for row in digest.rows if row.brand_id}
    return {one: f"brands/{file_id(one)}.html" for one in ids if store.path_for_brand(digest.region, one).exists()}
