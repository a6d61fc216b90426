"""The catalog digest as a page: lanes, top rows, coverage, counts per field; and the list of a region's digests.

What does not belong here: finding and sorting changes (the catalog room).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
from markupsafe import Markup

from fullscript_pipeline.catalog import (
    CatalogChange,
    Digest,
    delta,
    digest_between,
    last_observed,
    named,
    plans,
    title,
    to_csv,
)
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.reports import text
from fullscript_pipeline.reports.store import ReportStore
from fullscript_pipeline.reports.templating import render
from fullscript_pipeline.reports.worddiff import word_diff

# Rows of a lane on the page after the first ten; the CSV beside it has all.
MORE = 190


@dataclass(frozen=True, slots=True)
class DigestWritten:
    """Where the digest is and its counts per lane; `held` says why nothing is listed. No health data."""

    path: Path
    counts: Mapping[str, int]
    held: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A change as the page shows it; `difference` replaces old and new where the value is prose."""

    change: CatalogChange
    what: str
    variant: str | None
    delta: str | None
    plans: str
    difference: Markup | None
    variants: int


def render_catalog_digest(
    digest: Digest, *, rendered_at: datetime, time_zone: ZoneInfo, store: ReportStore | None = None
) -> str:
    """The page's HTML. With a `store`, links to its neighbours and to the CSV beside it."""
    days = store.digest_days(digest.region) if store else []
    before = max((day for day in days if day < digest.to_day), default=None)
    after = min((day for day in days if day > digest.to_day), default=None)
    lanes = [] if digest.held else [(lane, [_row(one, digest) for one in lane.top(10 + MORE)]) for lane in digest.lanes]
    return render(
        "digest.html.j2",
        digest=digest,
        title=title(digest),
        lanes=lanes,
        made=text.moment(rendered_at, time_zone),
        before=before,
        after=after,
        linked=store is not None,
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
) -> DigestWritten:
    """Write the digest of `to_day` against `from_day` (None: the last day observed before it), its CSV, the list.

    The first observed day is the baseline: its page says so and lists nothing. A held digest lists nothing either
    until it is written again with `release`. Raises UsageError when the days cannot be compared.
    """
    start = from_day or last_observed(con, region, to_day - timedelta(days=1), time_zone)
    if start is None and last_observed(con, region, to_day, time_zone) is None:
        raise UsageError(f"Region {region!r} has no catalog on or before {to_day}; pull it first.")
    digest = digest_between(con, region, start or to_day, to_day, time_zone, release=release)
    path = store.path_for_digest(region, to_day)
    store.write(path, render_catalog_digest(digest, rendered_at=rendered_at, time_zone=time_zone, store=store))
    rows = [] if digest.held else digest.rows
    store.write(store.path_for_digest(region, to_day, "csv"), to_csv(rows, suppress_small=True))
    _write_list(store, region, text.moment(rendered_at, time_zone))
    return DigestWritten(path, digest.counts, digest.held)


def _write_list(store: ReportStore, region: str, made: str) -> None:
    html = render("digests.html.j2", region=region, days=store.digest_days(region), made=made)
    store.write(store.path_for_digest(region), html)


def _row(change: CatalogChange, digest: Digest) -> Row:
    prose = change.field in {"description_html", "dosage.additional_info"}
    return Row(
        change=change,
        what=(change.product_name or "") if change.entity in {"product", "variant"} else (change.entity_name or ""),
        variant=named(change) if change.entity == "variant" else None,
        delta=delta(change),
        plans=plans(change),
        difference=word_diff(change.old_value, change.new_value) if prose else None,
        variants=digest.variants_with(change),
    )
