"""Fetches one resource, and lands every page before the next request.

It resumes an interrupted pull: the frames of its file say which requests are answered. What does not belong here: which
endpoints to fetch (`extraction.pulls`), and DuckDB (`pull`).
"""

import logging
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson

from fullscript_pipeline import clock
from fullscript_pipeline.api import (
    REFUSE_AFTER,
    ClinicSession,
    Differences,
    NotFound,
    Page,
    PurgedObjectError,
    WrongClock,
)
from fullscript_pipeline.extraction.engine.landing_lock import open_landing_file
from fullscript_pipeline.extraction.engine.list_progress import FetchedList, Walk, count_of_others
from fullscript_pipeline.extraction.engine.list_request import ListRequest, request_key
from fullscript_pipeline.extraction.engine.pull_types import Target
from fullscript_pipeline.extraction.engine.view_of_answer import view_of_envelope
from fullscript_pipeline.plural import counted
from fullscript_pipeline.warehouse import Envelope, Line, Request, keyed_line, make_line, parse_line
from fullscript_pipeline.warehouse.loading import View, common_view

_log = logging.getLogger(__name__)
# Lists whose `id` is not an id of their rows: rows are identified by their content.
_ROWS_WITHOUT_ID = frozenset({"metadata"})


class PageLanding:
    """The first half of a pull of one resource for one partition."""

    def __init__(self, target: Target, resource: str) -> None:
        self.target = target
        self.resource = resource
        self.started_at = clock.real_now()
        self.observed_at = clock.now()
        self._observed_steady = clock.steady_seconds()
        # The earliest time that a landed page was read; a resumed page may be older than this pull.
        self.read_since = self.observed_at
        self.pull_id = uuid.uuid4().hex
        self.file, self._lock = open_landing_file(target, resource, self.pull_id)
        self._object_exists: dict[tuple[str, str], bool] = {}
        self._walks: dict[tuple[str, str, int], Walk] = {}
        self._views: set[View | None] = set()
        # Endpoints whose objects were read by id.
        self._by_id: set[str] = set()
        # Endpoints that have answered with a bare array of rows.
        self._bare: set[str] = set()
        self._drift: set[tuple[str, str, str]] = set()
        self._differences = Differences()
        # Ids of records that were left out, by endpoint; and marks of those from an interrupted pull.
        self._left_out: dict[str, set[str]] = {}
        self._left_out_before: set[str] = set()
        self._resume_landed()
        self._cautions: list[str] = []
        # Objects that the server refused (403), by endpoint.
        self._refused: dict[str, set[str]] = {}
        # Requests and retries of each session before this pull used it.
        self._usage_before: dict[ClinicSession, tuple[int, int]] = {}

    def walk(
        self,
        session: ClinicSession,
        endpoint: str,
        *,
        path: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> FetchedList:
        """Reads a list to its end, and lands each page as it arrives.

        A list may change while it is read: one that does not match the server's count is read once more. A consistent
        second reading replaces the first; otherwise all rows are kept, and absence proves nothing.
        """
        list_request = ListRequest(session=session, endpoint=endpoint, path=path or {}, params=params or {})
        self._record_usage(session)
        walk = self._fetch_list_once(list_request, 1)
        if not walk.is_consistent and not (list_request.is_filtered and walk.of_others):
            second = self._fetch_list_once(list_request, 2)
            if second.is_consistent:
                self.file.only_from(endpoint, list_request.key, 2)
            walk = second if second.is_consistent else walk.combined_with(second)
        if not walk.is_consistent and not walk.of_others:
            self._cautions.append(f"listed {len(walk.ids)} of {walk.total} ({endpoint})")
        elif walk.rows_without_id:
            rows = counted(walk.rows_without_id, "row")
            self._cautions.append(f"listed {rows} without an id ({endpoint}), so nothing that it lacks is marked")
        elif walk.of_others:
            rows = counted(walk.of_others, "row")
            self._cautions.append(f"listed {rows} of another patient ({endpoint}), so nothing that it lacks is marked")
        elif walk.is_empty_array and endpoint not in self._bare:
            # It may be true for a server that answers with bare arrays, but does not prove that everything is gone.
            self._cautions.append(f"listed an empty array and nothing around it ({endpoint}), so nothing is marked")
            return replace(walk.as_fetched_list(), complete=False)
        return walk.as_fetched_list()

    def land_object(self, session: ClinicSession, endpoint: str, object_id: str | None = None) -> bool:
        """Lands one object by id. Returns False when the server answers 404."""
        key = request_key(session, object_id, None)
        self._record_usage(session)
        if (exists := self._object_exists.get((endpoint, key))) is not None:
            return exists
        try:
            answer = session.fetch_object(endpoint, {"id": object_id} if object_id is not None else {})
        except PurgedObjectError:
            self._left_out.setdefault(endpoint, set()).add(object_id or "")
            return False
        except NotFound:
            envelope = self._envelope(session, clock.now(), None)
            self.file.append(Request(endpoint, key, found=False, envelope=envelope), [])
            self._object_exists[endpoint, key] = False
            return False
        self._by_id.add(endpoint)
        if answer.unexpected_wrapper:
            self._drift.add((endpoint, "wrapper", "not the expected one"))
        self._differences.see(endpoint, [answer.record])
        envelope = self._envelope(session, answer.fetched_at, answer.request_id)
        self.file.append(Request(endpoint, key, records=1, envelope=envelope), [make_line(answer.record)])
        return True

    def require_right_clock(self) -> None:
        """Raises WrongClock when our time differs from the server's, or was changed during this pull. Call it before a
        load."""
        for session in self._usage_before:
            session.server_clock.require_checked()
        passed = clock.steady_seconds() - self._observed_steady
        changed = clock.now() - self.observed_at - timedelta(seconds=passed)
        if abs(changed) > REFUSE_AFTER and not clock.is_set_by_hand():
            raise WrongClock(
                f"This machine's clock was changed by {round(changed / timedelta(hours=1)):,} hours while "
                f"{self.resource} was read, so nothing was stored: run this again."
            )

    def record_refused_objects(self, endpoint: str, ids: Collection[str]) -> None:
        """Records that the server refused (403) these objects; the report counts them."""
        if ids:
            self._refused.setdefault(endpoint, set()).update(ids)
            self._cautions.append(f"{counted(len(ids), 'detail')} refused ({endpoint})")

    def add_caution(self, sentence: str) -> None:
        """Adds a sentence to the report: what could not be read, or concluded."""
        self._cautions.append(sentence)

    def refused(self, endpoint: str) -> frozenset[str]:
        """Returns the objects that the server refused one by one."""
        return frozenset(self._refused.get(endpoint, ()))

    def left_out(self, endpoint: str) -> frozenset[str]:
        """Returns the objects that were left out because they belong to purged people."""
        return frozenset(self._left_out.get(endpoint, ()))

    @property
    def left_out_ids(self) -> frozenset[str]:
        """The left-out objects of all endpoints."""
        return frozenset(object_id for ids in self._left_out.values() for object_id in ids)

    @property
    def left_out_count(self) -> int:
        """The number of distinct records that were left out."""
        return len(self.left_out_ids) + len(self._left_out_before)

    def is_denied(self, session: ClinicSession, endpoint: str, object_id: str) -> bool:
        """Whether the object was fetched by id, and answered 404."""
        return self._object_exists.get((endpoint, request_key(session, object_id, None))) is False

    def has_fetched_by_id(self, endpoint: str) -> bool:
        """Whether an object was read by id from this endpoint."""
        return endpoint in self._by_id

    @property
    def view(self) -> View | None:
        """The reader view of everything landed; None when nothing is, or when users or clinics are mixed."""
        return common_view(self._views)

    def lines(self, endpoint: str) -> Callable[[], Iterator[Line]]:
        """Returns the landed lines of an endpoint, as `Load` takes them."""
        return lambda: self.file.lines(endpoint)

    def _resume_landed(self) -> None:
        """Restores the state from the pages that an interrupted pull landed."""
        for request, lines in self.file.records():
            self._views.add(view_of_envelope(request.envelope))
            self._object_exists[request.endpoint, request.key] = request.found
            self._by_id.add(request.endpoint)
            if request.envelope is not None:
                self.read_since = min(self.read_since, datetime.fromisoformat(request.envelope.fetched_at))
            walk = self._walks.setdefault((request.endpoint, request.key, request.walk), Walk())
            landed = list(lines)
            self._left_out_before.update(request.left_out)
            self._record_shape(request)
            self.file.size = self.file.size.plus([line.record for line in landed])
            walk.add(request, [_row_id(request.endpoint, line) for line in landed])
            self._differences.see(request.endpoint, [orjson.loads(line.record) for line in landed])

    def _fetch_list_once(self, list_request: ListRequest, number: int) -> Walk:
        walk = self._walks.get((list_request.endpoint, list_request.key, number)) or Walk()
        if remaining := walk.remaining_pages():
            pages = list_request.session.pages(
                list_request.endpoint,
                list_request.path,
                list_request.params,
                remaining.first_page,
                total_pages=remaining.total_pages,
                landed=frozenset(walk.pages),
            )
            for page in pages:
                walk.add(*self._land_page(list_request, page, number))
                if list_request.is_filtered and walk.of_others:
                    break  # the server ignores the filter: the history of all patients would follow
        return walk

    def _land_page(self, list_request: ListRequest, page: Page, walk: int) -> tuple[Request, list[str]]:
        if page.unexpected_wrapper:
            self._drift.add((list_request.endpoint, "wrapper", page.wrapper_key))
        self._differences.see(list_request.endpoint, page.records)
        lines = [keyed_line(record) for record in page.records]
        if list_request.endpoint in _ROWS_WITHOUT_ID:
            lines = [(_row_id(list_request.endpoint, parse_line(line)), line) for _, line in lines]
        request = Request(
            endpoint=list_request.endpoint,
            key=list_request.key,
            page=page.number,
            records=len(lines),
            is_last=page.is_last,
            total_count=page.total_count,
            total_pages=page.total_pages,
            walk=walk,
            is_bare=page.wrapper_key == "",
            of_others=count_of_others(page.records, list_request.patient),
            left_out=tuple(page.left_out),
            envelope=self._envelope(list_request.session, page.fetched_at, page.request_id, list_request.parent),
        )
        self.file.append(request, [line for _, line in lines])
        self._left_out.setdefault(list_request.endpoint, set()).update(page.left_out.values())
        self._record_shape(request)
        return request, [record_id for record_id, _ in lines]

    def _record_shape(self, request: Request) -> None:
        if request.is_bare and request.records:
            self._bare.add(request.endpoint)

    def _record_usage(self, session: ClinicSession) -> None:
        self._usage_before.setdefault(session, (sum(session.requests.values()), session.retries))

    def _sent(self) -> int:
        return sum(sum(session.requests.values()) - before for session, (before, _) in self._usage_before.items())

    def _retries(self) -> int:
        return sum(session.retries - before for session, (_, before) in self._usage_before.items())

    def _envelope(
        self, session: ClinicSession, fetched_at: datetime, request_id: str | None, parent: str | None = None
    ) -> Envelope:
        clinic = session.clinic
        viewers = [(user, sorted(scopes)) for user, scopes in session.viewers]
        moment = fetched_at.astimezone(UTC).isoformat()
        envelope = Envelope(
            clinic_id=clinic.clinic_id,
            region=clinic.region,
            fetched_at=moment,
            request_id=request_id,
            parent_id=parent,
            seen_as=viewers,
        )
        self._views.add(view_of_envelope(envelope))
        return envelope


def _row_id(endpoint: str, line: Line) -> str:
    return line.hash if endpoint in _ROWS_WITHOUT_ID else line.id
