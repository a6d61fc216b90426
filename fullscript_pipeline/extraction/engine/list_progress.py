"""Tracks a list while it is read: its request, its ids, the server's count, and the pages that are still to fetch.

A list may change while it is read. It is *consistent* when as many rows came as the server counts, and the count never
fell: when a row vanishes from a page that was read, another row moves there unseen. What does not belong here: fetching
and landing (`pull`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.ids import first_usable
from fullscript_pipeline.plural import counted
from fullscript_pipeline.warehouse import NAMELESS, Request

LEFT_OUT = "left-out:"


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """A request for a list: its endpoint, path and filters."""

    session: ClinicSession
    endpoint: str
    path: Mapping[str, str]
    params: Mapping[str, str]

    @property
    def patient(self) -> str | None:
        """The patient whose list it is, if any."""
        return self.path.get("patient_id") or self.params.get("patient_id")

    @property
    def is_filtered(self) -> bool:
        """Whether the list of all is filtered by a patient."""
        return "patient_id" in self.params

    @property
    def parent(self) -> str | None:
        return next(iter(self.path.values()), None)

    @property
    def key(self) -> str:
        return request_key(self.session, self.parent, self.params)


@dataclass(frozen=True, kw_only=True)
class FetchedList:
    """A list that was read to its end. `ids` are the distinct record ids in order of arrival.

    `complete`: as many distinct rows came as the server counts (or it gives no count), each has an id, and none is of
    another patient. A complete list proves that what it lacks does not exist.
    """

    ids: tuple[str, ...]
    total_count: int | None
    complete: bool = True


class RemainingPages(NamedTuple):
    """The pages still to fetch: from `first_page` on, or all of `total_pages` that are not landed."""

    first_page: int = 1
    total_pages: int | None = None


@dataclass(kw_only=True)
class Walk:
    """One reading of a list, as far as its pages are landed."""

    ids: dict[str, None] = field(default_factory=dict)
    totals: list[int] = field(default_factory=list)
    pages: set[int] = field(default_factory=set)
    last_page: int | None = None
    ended_at: int | None = None
    rows: int = 0
    is_bare: bool = False
    of_others: int = 0

    def add(self, request: Request, ids: Iterable[str]) -> None:
        """Adds a landed page. Records that were left out count, but are no rows of the list."""
        self.ids.update(dict.fromkeys(ids))
        self.ids.update(dict.fromkeys(LEFT_OUT + mark for mark in request.left_out))
        self.rows += request.records + len(request.left_out)
        self.is_bare |= request.is_bare
        self.of_others += request.of_others
        self.pages.add(request.page)
        if request.total_count is not None and self.totals[-1:] != [request.total_count]:
            self.totals.append(request.total_count)
        if request.total_pages is not None and (request.records or request.left_out):
            self.last_page = max(self.last_page or 0, request.total_pages)
        if request.is_last:
            self.ended_at = min(self.ended_at or request.page, request.page)

    @property
    def total(self) -> int | None:
        return self.totals[-1] if self.totals else None

    @property
    def is_consistent(self) -> bool:
        if not self.totals:
            return True
        if len(self.pages) == self.ended_at == 1 and self.rows == self.totals[-1]:
            return True  # a single page is consistent: a row in it twice is counted twice by the server
        return self.totals == sorted(self.totals) and len(self.ids) == self.totals[-1]

    @property
    def rows_without_id(self) -> int:
        """The number of rows without an id. They may be any that seem to be missing."""
        return sum(record_id.startswith(NAMELESS) for record_id in self.ids)

    @property
    def is_empty_array(self) -> bool:
        """Whether all of the answer was `[]`, which is not a documented answer."""
        return self.is_bare and not self.ids

    def remaining_pages(self) -> RemainingPages | None:
        """Returns the pages still to fetch; None when every page is landed."""
        if not self.pages:
            return RemainingPages()
        if self.last_page is not None:
            # An empty page before the last counted one: the list has become shorter.
            last = min(self.last_page, self.ended_at or self.last_page)
            if not self.pages.issuperset(range(1, last + 1)):
                return RemainingPages(1, last)
        return None if self.ended_at else RemainingPages(max(self.pages) + 1)

    def combined_with(self, second: "Walk") -> "Walk":
        """Merges two readings of a list: each may have rows that the other missed."""
        return Walk(
            ids={**self.ids, **second.ids},
            totals=[*self.totals, *second.totals],
            is_bare=self.is_bare and second.is_bare,
            of_others=self.of_others + second.of_others,
        )

    def caution(self, endpoint: str, *, has_bare_rows: bool) -> str | None:
        """Returns why absence from this reading proves nothing; None when the list is complete.

        `has_bare_rows`: the endpoint has answered with a bare array of rows, so an empty one is an answer too.
        """
        if not self.is_consistent and not self.of_others:
            return f"listed {len(self.ids)} of {self.total} ({endpoint})"
        if self.rows_without_id:
            rows = counted(self.rows_without_id, "row")
            return f"listed {rows} without an id ({endpoint}), so nothing that it lacks is marked"
        if self.of_others:
            rows = counted(self.of_others, "row")
            return f"listed {rows} of another patient ({endpoint}), so nothing that it lacks is marked"
        if self.is_empty_array and not has_bare_rows:
            # It may be true for a server that answers with bare arrays, but does not prove that everything is gone.
            return f"listed an empty array and nothing around it ({endpoint}), so nothing is marked"
        return None

    def as_fetched_list(self, *, is_complete: bool) -> FetchedList:
        ids = tuple(record_id for record_id in self.ids if not record_id.startswith(LEFT_OUT))
        return FetchedList(ids=ids, total_count=self.total, complete=is_complete)


def request_key(session: ClinicSession, parent: str | None, params: Mapping[str, str] | None) -> str:
    """Returns the key by which a landed page names the request that it answers."""
    filters = "&".join(f"{name}={value}" for name, value in sorted((params or {}).items()))
    return f"{session.clinic.clinic_key}/{parent or ''}?{filters}"


def count_of_others(records: Iterable[Mapping[str, Any]], patient: str | None) -> int:
    """Counts the records of another patient than the one whose list it is (None: not a patient's list)."""
    return sum(_patient_in(record) not in {None, patient} for record in records) if patient is not None else 0


def _patient_in(record: Mapping[str, Any]) -> str | None:
    nested = record.get("patient")
    return first_usable((record.get("patient_id"), nested.get("id") if isinstance(nested, dict) else None))
