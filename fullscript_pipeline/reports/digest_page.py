"""Renders a digest as pages: the first with every section, and further pages for sections that are long.

A page lists as many rows as keep it small. Its filters are style rules; the script adds a search and counts. What does
not belong here: writing files (`digest`), finding and sorting changes (the catalog room).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fullscript_pipeline.catalog import Digest, Entry, Section
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.reports.catalog_words import (
    coverage_words,
    heading_words,
    held_words,
    plans_sum_words,
    plans_words,
    section_words,
)
from fullscript_pipeline.reports.change_rows import Row, label_cells, rows_of
from fullscript_pipeline.reports.digest_files import LINES_SUFFIX
from fullscript_pipeline.reports.field_words import change_words, field_words
from fullscript_pipeline.reports.language import ENGLISH, PageLanguage
from fullscript_pipeline.reports.templating import filter_script, render

# How many entries a day may have to be one page, and how many each section shows on the first page of a longer day.
ONE_PAGE, FIRST = 300, 20
# A page ends when its rows weigh more than this many bytes, as estimated.
_PAGE_BYTES, _ROW_BYTES = 200_000, 620
Rows = Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The brands of a watch list: the names in the setting, their ids in this region, and the names it lacks."""

    names: Sequence[str]
    ids: Collection[str]
    missing: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestFrame:
    """What all pages of a digest share. Links to other pages are only made where there are any (`is_linked`).

    `brand_pages`, `product_pages`: paths by id.
    """

    rendered_at: datetime
    time_zone: ZoneInfo
    language: PageLanguage = ENGLISH
    is_linked: bool = False
    before: date | None = None
    after: date | None = None
    watched: Watched | None = None
    brand_pages: Mapping[str, str] = field(default_factory=dict)
    product_pages: Mapping[str, str] = field(default_factory=dict)

    @property
    def up(self) -> str:
        """The path to the folder of the region."""
        return "../" if self.watched else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A section in a page: its rows there, and the names of its further pages."""

    section: Section
    entries: Sequence[Rows]
    pages: Sequence[str] = ()

    @property
    def rows(self) -> list[Row]:
        return [row for entry in self.entries for row in entry]


def digest_pages(digest: Digest, frame: DigestFrame) -> Iterator[tuple[str, str]]:
    """Pairs of file name and HTML: the page of the day, then those of its long sections."""
    day = digest.to_day.isoformat()
    listed: list[_Listed] = []
    further: list[tuple[str, _Listed]] = []
    for section, entries in _first_entries(digest, frame.language):
        names: list[str] = []
        if frame.is_linked and len(section.entries) > len(entries):
            chunks = list(_chunks([rows_of(entry, digest, frame.language) for entry in section.entries]))
            names = [f"{day}-{section.key}-{number}.html" for number in range(1, len(chunks) + 1)]
            further += [
                (name, _Listed(section=section, entries=chunk, pages=names))
                for name, chunk in zip(names, chunks, strict=True)
            ]
        listed.append(_Listed(section=section, entries=entries, pages=names))
    yield f"{day}.html", _render(digest, frame, listed, f"{day}.html")
    for name, part in further:
        yield name, _render(digest, frame, [part], name)


def render_catalog_digest(digest: Digest, *, rendered_at: datetime, time_zone: ZoneInfo) -> str:
    """One page that stands alone: it links to nothing, and says how to list what it leaves out."""
    frame = DigestFrame(rendered_at=rendered_at, time_zone=time_zone)
    return next(html for _, html in digest_pages(digest, frame))


def _first_entries(digest: Digest, language: PageLanguage) -> list[tuple[Section, list[Rows]]]:
    """The sections with the entries of the first page: all if that is a small page, else the first of each."""
    if digest.held:
        return []
    sections = [section for section in digest.sections if section.entries]
    if sum(len(section.entries) for section in sections) <= ONE_PAGE:
        whole = [(section, _rows(section.entries, digest, language)) for section in sections]
        if sum(_weight(rows) for _, entries in whole for rows in entries) <= _PAGE_BYTES:
            return whole
    return [(section, _rows(section.top(FIRST), digest, language)) for section in sections]


def _rows(entries: Sequence[Entry], digest: Digest, language: PageLanguage) -> list[Rows]:
    return [rows_of(entry, digest, language) for entry in entries]


def _chunks(entries: Sequence[Rows]) -> Iterator[list[Rows]]:
    """The entries of a section as pages."""
    chunk: list[Rows] = []
    weight = 0
    for rows in entries:
        if chunk and weight + _weight(rows) > _PAGE_BYTES:
            yield chunk
            chunk, weight = [], 0
        chunk.append(rows)
        weight += _weight(rows)
    yield chunk


def _weight(rows: Rows) -> int:
    """The bytes of an entry, roughly."""
    texts = [
        text for row in rows for text in (row.what, row.difference or "", row.change.old_value, row.change.new_value)
    ]
    return _ROW_BYTES * len(rows) + sum(min(len((text or "").encode()), 3000) for text in texts)


def _render(digest: Digest, frame: DigestFrame, listed: Sequence[_Listed], name: str) -> str:
    rows = [row for part in listed for row in part.rows]
    brands = sorted({row.change.brand_name or "" for row in rows}, key=str.casefold)
    fields = Counter(change_words(row.change, frame.language) for row in rows)
    words = sorted(fields, key=lambda text: (-fields[text], text))
    keys = [part.section.key for part in listed]
    return render(
        "digest.html.j2",
        frame.language,
        digest=digest,
        frame=frame,
        heading=heading_words(digest, frame.language),
        listed=listed,
        name=name,
        is_first=name == f"{digest.to_day.isoformat()}.html",
        brands=brands,
        brand_numbers={brand: number for number, brand in enumerate(brands)},
        fields=[(text, fields[text]) for text in words],
        field_numbers={text: number for number, text in enumerate(words)},
        field_words=field_words,
        change_words=change_words,
        plans_sum_words=plans_sum_words,
        plans_words=plans_words,
        section_words=section_words,
        coverage_words=coverage_words,
        held_words=held_words,
        currency=REGIONS[digest.region].currency,
        lines=LINES_SUFFIX,
        rendered_text=frame.language.moment_with_zone(frame.rendered_at, frame.time_zone),
        own_style=label_cells(frame.language) + _filter_style(keys, len(brands), len(words)),
        script=filter_script(),
    )


def _filter_style(sections: Sequence[str], brands: int, fields: int) -> str:
    """A rule for each choice: what is not chosen is not displayed. It needs no script."""
    rules = [f'main:has(#in-section [value="{key}"]:checked) section:not(#{key}){{display:none}}' for key in sections]
    for ident, key, count in (("in-brand", "data-b", brands), ("in-field", "data-f", fields)):
        rules += [
            f'main:has(#{ident} [value="{number}"]:checked) tr[{key}]:not([{key}="{number}"]){{display:none}}'
            for number in range(count)
        ]
    return "".join(rules)
