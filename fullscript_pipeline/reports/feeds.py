"""Writes the Atom feeds (RFC 4287) of a region: all changes, each section, each brand; an entry per day, 30 at most.

A feed's day is the day on which the changes were seen, so that an entry never grows after readers have fetched it.
What does not belong here: pages (`digest`, `brands`), finding and sorting changes (the catalog room).
"""

import posixpath
import xml.etree.ElementTree as ET  # only writes XML of our own
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import duckdb

from fullscript_pipeline.catalog import SECTIONS, CatalogChange, delta_text, fold_changes, object_label, section_of
from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import ENGLISH
from fullscript_pipeline.reports.store import ReportStore, file_id

DAYS = 90
ENTRIES = 30
LINES = 200
ATOM = "http://www.w3.org/2005/Atom"
_LIST = ", ".join(CatalogChange._fields)
# Days with a held digest are left out until the digest is released.
_RECENT = f"""SELECT seen_on, {_LIST} FROM marts.catalog_changes AS c
WHERE region = $region AND NOT cosmetic AND entity IN ('brand', 'product', 'variant')
    AND seen_on > $since AND seen_on <= $day AND NOT EXISTS (SELECT 1 FROM marts.catalog_digests AS d
        WHERE d.region = c.region AND d.day = c.seen_on AND d.held IS NOT NULL AND d.released_at IS NULL)
ORDER BY seen_on DESC, brand_name, product_name, entity, entity_name, entity_id, field NULLS FIRST"""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A feed to write. Paths are below the region's folder.

    `name`: what it is of, as the last part of its id. `days`: the sentences of each day, newest first. `pages`: the
    page that a day's entry links to; without one it links to `page`.
    """

    region: str
    name: str
    title: str
    path: str
    page: str
    days: Mapping[date, Sequence[str]]
    pages: Mapping[date, str] = field(default_factory=dict)

    @property
    def urn(self) -> str:
        """The feed's id, which never changes, wherever the pages are served."""
        return f"urn:fullscript-pipeline:catalog:{file_id(self.region)}:{self.name}"


def write_feeds(
    con: duckdb.DuckDBPyConnection, store: ReportStore, *, region: str, day: date, base_url: str | None
) -> int:
    """Writes every feed of the region as of `day`; returns how many.

    `base_url`: where the pages are served, for the links; without it they are relative to the feed.
    """
    rows = con.execute(_RECENT, {"region": region, "since": day - timedelta(days=DAYS), "day": day}).fetchall()
    by_day: dict[date, list[CatalogChange]] = {}
    for seen_on, *values in rows:
        by_day.setdefault(seen_on, []).append(CatalogChange(*values))
    listed = [(seen_on, row, text) for seen_on, changes in by_day.items() for row, text in _listed(changes)]
    sql = "SELECT brand_id, coalesce(name, brand_id) FROM core.brands WHERE region = ? ORDER BY 1"
    brands = con.execute(sql, [region]).fetchall()
    pages = {page_day: f"{page_day.isoformat()}.html" for page_day in (*store.digest_days(region), day)}
    feeds = [*_region_feeds(region, listed, pages), *_brand_feeds(region, listed, brands)]
    for feed in feeds:
        store.write(store.path_for_feed(region, feed.path), render_feed(feed, day=day, base_url=base_url))
    return len(feeds)


def render_feed(feed: Feed, *, day: date, base_url: str | None) -> str:
    """The feed as a document; `day` dates one without entries."""
    days = list(feed.days.items())[:ENTRIES]
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _add_texts(root, ("id", feed.urn), ("title", feed.title), ("updated", _instant(days[0][0] if days else day)))
    _add_link(root, "self", _address(feed, feed.path, base_url), "application/atom+xml")
    _add_link(root, "alternate", _address(feed, feed.page, base_url), "text/html")
    _add_texts(ET.SubElement(root, "author"), ("name", "fullscript-pipeline"))
    for seen_on, lines in days:
        entry = ET.SubElement(root, "entry")
        _add_texts(entry, ("id", f"{feed.urn}:{seen_on.isoformat()}"), ("updated", _instant(seen_on)))
        _add_texts(entry, ("title", f"{ENGLISH.day(seen_on)}: {counted(len(lines), 'change')}"))
        _add_link(entry, "alternate", _address(feed, feed.pages.get(seen_on, feed.page), base_url), "text/html")
        more = [f"{len(lines) - LINES:,} more on the page."] if len(lines) > LINES else []
        _add_texts(entry, ("summary", "\n".join([*lines[:LINES], *more])))
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


Listed = tuple[date, CatalogChange, str]


def _region_feeds(region: str, listed: Sequence[Listed], pages: Mapping[date, str]) -> Iterator[Feed]:
    """The feed of all changes, and one of each section."""
    title, index = f"Catalog changes, {region.upper()}", "index.html"
    everything = _by_day(listed, lambda row: "all").get("all", {})
    yield Feed(region=region, name="all", title=title, path="changes.atom", page=index, days=everything, pages=pages)
    by_section = _by_day(listed, section_of)
    for key, words in SECTIONS:
        yield Feed(
            region=region,
            name=f"section:{key}",
            title=f"{words}: {title}",
            path=f"sections/{key}.atom",
            page=index,
            days=by_section.get(key, {}),
            pages={page_day: f"{page}#{key}" for page_day, page in pages.items()},
        )


def _brand_feeds(region: str, listed: Sequence[Listed], brands: Sequence[tuple[str, str]]) -> Iterator[Feed]:
    by_brand = _by_day(listed, lambda row: row.brand_id or "")
    for brand_id, name in brands:
        stem = f"brands/{file_id(brand_id)}"
        yield Feed(
            region=region,
            name=f"brand:{file_id(brand_id)}",
            title=f"{name}: catalog changes, {region.upper()}",
            path=f"{stem}.atom",
            page=f"{stem}.html",
            days=by_brand.get(brand_id, {}),
        )


def _by_day(listed: Sequence[Listed], group_of: Callable[[CatalogChange], str]) -> dict[str, dict[date, list[str]]]:
    groups: dict[str, dict[date, list[str]]] = {}
    for seen_on, row, text in listed:
        groups.setdefault(group_of(row), {}).setdefault(seen_on, []).append(text)
    return groups


def _listed(changes: Sequence[CatalogChange]) -> Iterator[tuple[CatalogChange, str]]:
    """The changes of a day, each once, with the sentence that says it."""
    kept, together = fold_changes(changes)
    for row in kept:
        is_product = row.entity == "product" and row.field is None
        yield row, change_sentence(row, together.get(row.entity_id, 0) if is_product else 0)


def change_sentence(row: CatalogChange, variants: int = 0) -> str:
    """A change in a line; `variants`: how many came or went with the product."""
    names = (row.brand_name if row.entity != "brand" else row.entity_name, row.product_name, object_label(row))
    what = " | ".join(dict.fromkeys(name for name in names if name)) or row.entity_id
    if row.field is None:
        with_variants = f" with {counted(variants, 'variant')}" if variants else ""
        return f"{what}: {row.entity} {row.change}{with_variants}"
    if row.field == "description_html":
        return f"{what}: description changed"
    difference = delta_text(row)
    old, new = (formatting.shorten(value or "(none)", 80) for value in (row.old_value, row.new_value))
    return f"{what}: {row.field} {old} → {new}{f' {difference}' if difference else ''}"


def _address(feed: Feed, path: str, base_url: str | None) -> str:
    if base_url:
        return f"{base_url}/catalog/{file_id(feed.region)}/{path}"
    return posixpath.relpath(path, posixpath.dirname(feed.path) or ".")


def _add_link(parent: ET.Element, relation: str, address: str, media_type: str) -> None:
    ET.SubElement(parent, "link", {"rel": relation, "type": media_type, "href": address})


def _add_texts(parent: ET.Element, *pairs: tuple[str, str]) -> None:
    for tag, text in pairs:
        # XML does not allow these two characters, which HTML pages may hold.
        ET.SubElement(parent, tag).text = formatting.clean(text).replace("\ufffe", "").replace("\uffff", "")


def _instant(day: date) -> str:
    return datetime.combine(day, time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
