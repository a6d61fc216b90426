"""Fetches the pages of a list: one after the other, or up to eight in parallel if page 1 states how many there are.

It also decides when a list has ended. What does not belong here: sending (`session`), the shape of a response
(`response_parsing`).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from fullscript_pipeline.api.errors import RequestSummary
from fullscript_pipeline.api.response_parsing import Meta, Page, Record, check_progress, record_ids
from fullscript_pipeline.api.thread_pool import iter_completed


@dataclass(frozen=True, kw_only=True)
class FetchedPage:
    """A fetched page, before it is known whether it is the last."""

    number: int
    records: list[Record]
    meta: Meta
    wrapper_key: str
    unexpected: bool
    request_summary: RequestSummary
    fetched_at: datetime

    @property
    def is_numbered(self) -> bool:
        """Whether `meta` has the page number and the number of pages: then pages can be fetched in any order."""
        return self.meta.current_page is not None and self.meta.total_pages is not None

    @property
    def is_marked_last(self) -> bool:
        last = self.meta.has_next is False and self.number >= (self.meta.total_pages or 0)
        return last or not self.records

    def page(self, *, is_last: bool) -> Page:
        return Page(
            number=self.number,
            records=self.records,
            total_count=self.meta.total_count,
            total_pages=self.meta.total_pages,
            request_id=self.request_summary.request_id,
            fetched_at=self.fetched_at,
            wrapper_key=self.wrapper_key,
            unexpected_wrapper=self.unexpected,
            is_last=is_last,
        )


Fetch = Callable[[int], FetchedPage]


def iter_pages(fetch: Fetch, first: int, ignores_numbers: Callable[[bool], bool]) -> Iterator[Page]:
    """Yields the pages from `first` on.

    `ignores_numbers` reads or records whether the server ignores page numbers and sends everything at once.
    """
    page = fetch(first)
    if not page.is_numbered:
        yield from _iter_pages_in_sequence(fetch, page, ignores_numbers)
        return
    yield page.page(is_last=page.is_marked_last)
    if not page.is_marked_last:
        # `meta` may announce a next page without counting it.
        last = max(page.meta.total_pages or 0, page.number + 1 if page.meta.has_next else 0)
        yield from iter_pages_in_parallel(fetch, last, range(1, first + 1))


def iter_pages_in_parallel(fetch: Fetch, last: int, landed: Collection[int]) -> Iterator[Page]:
    """Yields pages 1 to `last` except those `landed`, in the order of arrival.

    The list may grow or shrink meanwhile: further pages are fetched if responses count more of them, and none after an
    empty page. No page is fetched twice.
    """
    requested, end = set(landed), last

    def is_within(number: int) -> bool:
        return number <= end

    while numbers := [number for number in range(1, end + 1) if number not in requested]:
        for number, page in iter_completed(fetch, takewhile(is_within, numbers)):
            requested.add(number)
            if not page.records:
                end = min(end, number)
            elif page.meta.has_next or (page.meta.total_pages or 0) > end:
                end = max(end, page.meta.total_pages or 0, number + 1)
            yield page.page(is_last=page.is_marked_last)


def _iter_pages_in_sequence(fetch: Fetch, page: FetchedPage, ignores_numbers: Callable[[bool], bool]) -> Iterator[Page]:
    while True:
        next_page: FetchedPage | None = None
        is_last = not page.records or page.meta.has_next is False
        if not is_last and page.meta.has_next is None:
            # Unknown whether a page follows: fetch it first, so that this page can be marked as the last.
            next_page = _next_if_any(fetch, page, ignores_numbers)
            is_last = next_page is None
        yield page.page(is_last=is_last)
        if is_last:
            return
        next_page = next_page or fetch(page.number + 1)
        check_progress(page.records, next_page.records, next_page.meta, next_page.request_summary)
        page = next_page


def _next_if_any(fetch: Fetch, page: FetchedPage, ignores_numbers: Callable[[bool], bool]) -> FetchedPage | None:
    """Fetches the page after one that does not state whether a page follows; None if there is none."""
    if ignores_numbers(False):
        return None
    next_page = fetch(page.number + 1)
    if record_ids(next_page.records) == record_ids(page.records):
        ignores_numbers(True)
        return None
    return next_page if next_page.records else None
