"""Writes the catalog digest: the page with its sections, its exports, the digest of watched brands, the list of days.

What does not belong here: finding and sorting changes (the catalog room), brand pages (brands.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from fullscript_pipeline.catalog import Digest, baseline_day, digest_between, last_observed
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports.brands import brand_ids, write_brand_pages
from fullscript_pipeline.reports.catalog_index import write_catalog_index, write_day_list
from fullscript_pipeline.reports.digest_files import write_digest_files, write_watched_files
from fullscript_pipeline.reports.digest_page import DigestFrame, Watched, digest_pages
from fullscript_pipeline.reports.feeds import write_feeds
from fullscript_pipeline.reports.language import PageLanguage, page_language
from fullscript_pipeline.reports.product_pages import CatalogDay, brand_files, product_files, write_product_pages
from fullscript_pipeline.reports.store import ReportStore, file_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestWritten:
    """The digest, its page, and its counts per section. No health data.

    `held`: why it lists nothing. `earlier`: the digest that it is compared with, where that was written again.
    """

    path: Path
    counts: Mapping[str, int]
    held: str | None
    digest: Digest
    watched: Path | None = None
    earlier: "DigestWritten | None" = None


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
    language: str = "en",
    is_latest: bool = True,
) -> DigestWritten:
    """Write the digest of `to_day`, its exports, product pages, the watched brands' digest, and the list of days; of
    the latest day also what is no day's own: brand pages, feeds, and the lists of brands and products. It is compared
    with `from_day` (None: the day of the last digest that was not held, else the last day observed before). The first
    observed day is the baseline, and lists nothing. A held digest lists nothing until it is written again with
    `release`. Raises UsageError if the days cannot be compared.
    """
    start = from_day or _earlier_day(con, region, to_day, time_zone)
    digest = digest_between(con, region, start, to_day, time_zone=time_zone, release=release)
    of = _catalog_day(digest, rendered_at, time_zone, page_language(language))
    if not digest.held:
        write_product_pages(con, store, of)
    if is_latest:
        _write_pages_of_region(con, store, of, base_url=base_url, is_held=bool(digest.held))
    path = store.path_for_digest(region, to_day)
    _write_pages(store, digest, _frame(store, digest, rendered_at, of), path)
    write_digest_files(store, digest, rendered_at)
    brands = _find_watched(con, region, watched_brands) if watched_brands else None
    watched = _write_watched_digest(store, digest, brands, rendered_at, of=of) if brands else None
    write_day_list(store, digest, of)
    return DigestWritten(path=path, counts=digest.counts, held=digest.held, digest=digest, watched=watched)


def _catalog_day(digest: Digest, rendered_at: datetime, time_zone: ZoneInfo, language: PageLanguage) -> CatalogDay:
    return CatalogDay(
        region=digest.region,
        since=digest.from_day,
        day=digest.to_day,
        time_zone=time_zone,
        rendered_text=language.moment_with_zone(rendered_at, time_zone),
        language=language,
    )


def _earlier_day(con: duckdb.DuckDBPyConnection, region: str, to_day: date, time_zone: ZoneInfo) -> date:
    """The day that a digest of `to_day` is compared with; `to_day` itself for the first that was observed."""
    start = baseline_day(con, region, to_day, time_zone)
    if start is None and last_observed(con, region, to_day, time_zone) is None:
        raise UsageError(f"Region {region!r} has no catalog on or before {to_day}; pull it first.")
    return start or to_day


def _write_watched_digest(
    store: ReportStore, digest: Digest, brands: Watched, rendered_at: datetime, *, of: CatalogDay
) -> Path:
    """Writes the part of the digest that is about these brands. Returns its page."""
    path = store.path_for_watched(of.region, of.day)
    mine = digest.for_brands(brands.ids)
    _write_pages(store, mine, replace(_frame(store, mine, rendered_at, of), watched=brands), path)
    write_watched_files(store, mine, rendered_at)
    return path


def _write_pages_of_region(
    con: duckdb.DuckDBPyConnection, store: ReportStore, of: CatalogDay, *, base_url: str | None, is_held: bool
) -> None:
    """Writes the pages that show the region as of the latest day; a held digest is not in feeds and brand pages."""
    if not is_held:
        write_brand_pages(con, store, of)
        write_feeds(con, store, region=of.region, day=of.day, base_url=base_url)
    write_catalog_index(con, store, of, changes_until=of.since if is_held else of.day)


def _find_watched(con: duckdb.DuckDBPyConnection, region: str, names: Sequence[str]) -> Watched:
    """Finds the watched brands in this region. A missing brand is listed on the page; regions differ."""
    known = brand_ids(con, region)
    ids_by_name = {name: known.get(name) or known.get(name.casefold()) for name in names}
    ids = {brand_id for brand_ids in ids_by_name.values() if brand_ids for brand_id in brand_ids}
    return Watched(
        names=list(names), ids=ids, missing=[name for name, brand_ids in ids_by_name.items() if not brand_ids]
    )


def _frame(store: ReportStore, digest: Digest, rendered_at: datetime, of: CatalogDay) -> DigestFrame:
    """The links of a digest: the days before and after it, and the pages of brands and products that exist."""
    days = store.digest_days(digest.region)
    brand_ids = {row.brand_id for row in digest.rows if row.brand_id}
    product_ids = {row.product_id for row in digest.rows if row.product_id}
    files, brands = product_files(store, digest.region), brand_files(store, digest.region)
    return DigestFrame(
        rendered_at=rendered_at,
        time_zone=of.time_zone,
        language=of.language,
        is_linked=True,
        before=max((day for day in days if day < digest.to_day), default=None),
        after=min((day for day in days if day > digest.to_day), default=None),
        brand_pages={
            brand_id: f"brands/{file}.html" for brand_id in brand_ids if (file := file_id(brand_id)) in brands
        },
        product_pages={
            product_id: f"products/{file}.html" for product_id in product_ids if (file := file_id(product_id)) in files
        },
    )


def _write_pages(store: ReportStore, digest: Digest, frame: DigestFrame, path: Path) -> None:
    """Writes the page of the day at `path` and its further pages beside it; removes those of an earlier writing."""
    written = {path.name}
    for name, html in digest_pages(digest, frame):
        store.write(path.with_name(name), html)
        written.add(name)
    further = f"{digest.to_day.isoformat()}-"
    existing = store.in_folder(path.parent)
    if stale := [page for page in existing if page.name.startswith(further) and page.name not in written]:
        store.remove(stale)
