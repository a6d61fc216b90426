"""Writes a page and an Atom feed per brand: its recent changes, newest first.

What does not belong here: the digest of a day (digest.py), finding changes (the catalog room).
"""

import xml.etree.ElementTree as ET  # only writes XML of our own
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

import duckdb

from fullscript_pipeline.catalog import CatalogChange, delta_text, object_label
from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.change_rows import row_of
from fullscript_pipeline.reports.language import ENGLISH
from fullscript_pipeline.reports.store import ReportStore, file_id
from fullscript_pipeline.reports.templating import render

DAYS = 90
ROWS = 200
_ENTRIES = 30
_ATOM = "http://www.w3.org/2005/Atom"
_LIST = ", ".join(CatalogChange._fields)
# Days with a held digest are left out until the digest is released.
_RECENT = f"""SELECT {_LIST} FROM marts.catalog_changes AS c
WHERE region = $region AND brand_id IS NOT NULL AND NOT cosmetic AND entity IN ('brand', 'product', 'variant')
    AND seen_on > $since AND seen_on <= $day AND NOT EXISTS (SELECT 1 FROM marts.catalog_digests AS d
        WHERE d.region = c.region AND d.day = c.seen_on AND d.held IS NOT NULL AND d.released_at IS NULL)
ORDER BY brand_id, changed_on DESC, product_name, entity, entity_name, entity_id, field NULLS FIRST"""
_BRANDS = """SELECT b.brand_id, coalesce(b.name, b.brand_id), b.status, b.removed_at IS NULL,
    count(p.product_id) FILTER (p.removed_at IS NULL)
FROM core.brands AS b LEFT JOIN core.products AS p ON p.region = b.region AND p.brand_id = b.brand_id
WHERE b.region = $region GROUP BY ALL ORDER BY 2"""


def brand_ids(con: duckdb.DuckDBPyConnection, region: str) -> dict[str, set[str]]:
    """Brand ids, by id and by casefolded name, past names included."""
    known: dict[str, set[str]] = {}
    sql = "SELECT DISTINCT brand_id, name FROM history.brands WHERE region = ?"
    for ident, name in con.execute(sql, [region]).fetchall():
        known.setdefault(ident, set()).add(ident)
        known.setdefault((name or "").strip().casefold(), set()).add(ident)
    return known


def write_brand_pages(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    *,
    region: str,
    day: date,
    rendered_text: str,
    base_url: str | None,
) -> int:
    """Write a page and a feed for every brand of the region, as of `day`. Returns the number of brands.

    `base_url`: where the pages are served, for the links in the feeds; without it the links are relative.
    """
    values = {"region": region, "since": day - timedelta(days=DAYS), "day": day}
    changes = (CatalogChange(*row) for row in con.execute(_RECENT, values).fetchall())
    recent = {ident: list(rows) for ident, rows in groupby(changes, key=lambda row: row.brand_id)}
    brands = con.execute(_BRANDS, {"region": region}).fetchall()
    for ident, name, status, present, products in brands:
        rows = recent.get(ident, [])
        html = render(
            "brand.html.j2",
            ENGLISH,
            region=region,
            name=name,
            status=status if present else "removed",
            products=products,
            days=[(changed_on, [row_of(row) for row in day_rows]) for changed_on, day_rows in _by_day(rows[:ROWS])],
            hidden=max(0, len(rows) - ROWS),
            span=DAYS,
            as_of=day,
            rendered_text=rendered_text,
            feed=f"{file_id(ident)}.atom",
        )
        store.write(store.path_for_brand(region, ident), html)
        link = f"{base_url or ''}/catalog/{file_id(region)}/brands/" if base_url else ""
        link = f"{link}{file_id(ident)}.html"
        feed = brand_feed(region, ident, name, rows=rows, day=day, link=link)
        store.write(store.path_for_brand(region, ident, "atom"), feed)
    return len(brands)


def brand_feed(region: str, ident: str, name: str, rows: Sequence[CatalogChange], day: date, link: str) -> str:
    """The Atom feed (RFC 4287) of a brand: an entry per day with changes, at most 30. Ids never change."""
    urn = f"urn:fullscript-pipeline:catalog:{file_id(region)}:brand:{file_id(ident)}"
    feed = ET.Element("feed", {"xmlns": _ATOM})
    days = list(_by_day(rows))[:_ENTRIES]
    _add_texts(feed, ("id", urn), ("title", f"{name}: catalog changes, {region.upper()}"))
    _add_texts(feed, ("updated", _instant(days[0][0] if days else day)))
    ET.SubElement(feed, "link", {"href": link})
    _add_texts(ET.SubElement(feed, "author"), ("name", "fullscript-pipeline"))
    for changed_on, day_rows in days:
        entry = ET.SubElement(feed, "entry")
        _add_texts(entry, ("id", f"{urn}:{changed_on.isoformat()}"), ("updated", _instant(changed_on)))
        _add_texts(entry, ("title", f"{ENGLISH.day(changed_on)}: {counted(len(day_rows), 'change')}"))
        ET.SubElement(entry, "link", {"href": link})
        _add_texts(entry, ("summary", "\n".join(_change_text(row) for row in day_rows[:50])))
    return ET.tostring(feed, encoding="unicode", xml_declaration=True) + "\n"


def _by_day(rows: Iterable[CatalogChange]) -> Iterable[tuple[date, list[CatalogChange]]]:
    return ((changed_on, list(day_rows)) for changed_on, day_rows in groupby(rows, key=lambda row: row.changed_on))


def _change_text(row: CatalogChange) -> str:
    what = " | ".join(part for part in (row.product_name, object_label(row)) if part) or row.entity_id
    if row.field is None:
        return f"{what}: {row.entity} {row.change}"
    if row.field == "description_html":
        return f"{what}: description changed"
    difference = delta_text(row)
    old, new = (formatting.shorten(value or "(none)", 80) for value in (row.old_value, row.new_value))
    return f"{what}: {row.field} {old} → {new}{f' {difference}' if difference else ''}"


def _add_texts(parent: ET.Element, *pairs: tuple[str, str]) -> None:
    for tag, text in pairs:
        # XML does not allow these two characters, which HTML pages may hold.
        ET.SubElement(parent, tag).text = formatting.clean(text).replace("\ufffe", "").replace("\uffff", "")


def _instant(day: date) -> str:
    return datetime.combine(day, time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
