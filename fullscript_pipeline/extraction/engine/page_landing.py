"""Asks for one resource and lands every answer before the next is asked.

What an interrupted pull has landed is taken up: the frames of its file say which requests are answered. What does not
belong here: which endpoints to ask (`clinic`, `plans`, `orders`, ...), and DuckDB (`pull`).
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
from fullscript_pipeline.extraction.engine.landing_lock import file_to_fill
from fullscript_pipeline.extraction.engine.list_progress import Listing, Walk, count_of_others
from fullscript_pipeline.extraction.engine.list_request import ListRequest, request_key
from fullscript_pipeline.extraction.engine.pull_types import Target
from fullscript_pipeline.extraction.engine.view_of_answer import view_of
from fullscript_pipeline.plural import counted
from fullscript_pipeline.warehouse import Envelope, Line, Request, keyed_line, make_line, parse_line
from fullscript_pipeline.warehouse.loading import View, common_view

_log = logging.getLogger(__name__)
# Lists whose `id` names something else than their rows: these are told apart by their content.
_ROWS_WITHOUT_ID = frozenset({"metadata"})


class Asking:
    """The first half of a pull of one resource of one cell."""

    def __init__(self, target: Target, resource: str) -> None:
        self.target = target
        self.resource = resource
        self.started_at = clock.real_now()
        self.observed_at = clock.now()
        self._observed_steady = clock.steady_seconds()
        # Nothing that is landed was read before; what an interrupted pull had landed may be older than this pull.
        self.read_since = self.observed_at
        self.pull_id = uuid.uuid4().hex
        self.file, self._claim = file_to_fill(target, resource, self.pull_id)
        self._found: dict[tuple[str, str], bool] = {}
        self._walks: dict[tuple[str, str, int], Walk] = {}
        self._views: set[View | None] = set()
        # Endpoints of which objects were read by their id.
        self._by_id: set[str] = set()
        # Endpoints that have answered with rows in an array on its own.
        self._bare: set[str] = set()
        self._drift: set[tuple[str, str, str]] = set()
        self._differences = Differences()
        # Ids of records that were left out, by endpoint; and what stands for those of an interrupted pull.
        self._left_out: dict[str, set[str]] = {}
        self._left_out_before: set[str] = set()
        self._take_up()
        self._short: list[str] = []
        # Objects that the server refused (403) one by one, by endpoint.
        self._refused: dict[str, set[str]] = {}
        # What each session had sent and asked again before this pull used it.
        self._before: dict[ClinicSession, tuple[int, int]] = {}

    def walk(
        self,
        session: ClinicSession,
        endpoint: str,
        *,
        path: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Listing:
        """Walks a list to its end; each page is landed as it arrives.

        Pages move while they are read: a list that does not come to what the server counts is walked once more. When
        the second walk comes out even it stands alone; else all that came is kept, and absence means nothing.
        """
        ask = ListRequest(session, endpoint, path or {}, params or {})
        self._note_use(session)
        found = self._walk_once(ask, 1)
        if not found.is_settled and not (ask.is_filtered and found.of_others):
            second = self._walk_once(ask, 2)
            if second.is_settled:
                self.file.only_from(endpoint, ask.key, 2)
            found = second if second.is_settled else found.joined(second)
        if not found.is_settled and not found.of_others:
            self._short.append(f"listed {len(found.ids)} of {found.total} ({endpoint})")
        elif found.unkeyed:
            rows = counted(found.unkeyed, "row")
            self._short.append(f"listed {rows} without an id ({endpoint}), so nothing that it lacks is marked")
        elif found.of_others:
            rows = counted(found.of_others, "row")
            self._short.append(f"listed {rows} of another patient ({endpoint}), so nothing that it lacks is marked")
        elif found.says_nothing and endpoint not in self._bare:
            # From a server whose lists are bare arrays it may be true: too little to take everything for gone.
            self._short.append(f"listed an empty array and nothing around it ({endpoint}), so nothing is marked")
            return replace(found.listing(), complete=False)
        return found.listing()

    def one(self, session: ClinicSession, endpoint: str, object_id: str | None = None) -> bool:
        """Lands one object by id. False: the server says that there is none (404)."""
        key = request_key(session, object_id, None)
        self._note_use(session)
        if (found := self._found.get((endpoint, key))) is not None:
            return found
        try:
            one = session.fetch_object(endpoint, {"id": object_id} if object_id is not None else {})
        except PurgedObjectError:
            self._left_out.setdefault(endpoint, set()).add(object_id or "")
            return False
        except NotFound:
            envelope = self._envelope(session, clock.now(), None)
            self.file.append(Request(endpoint, key, found=False, envelope=envelope), [])
            self._found[endpoint, key] = False
            return False
        self._by_id.add(endpoint)
        if one.unexpected_wrapper:
            self._drift.add((endpoint, "wrapper", "not the expected one"))
        self._differences.see(endpoint, [one.record])
        envelope = self._envelope(session, one.fetched_at, one.request_id)
        self.file.append(Request(endpoint, key, records=1, envelope=envelope), [make_line(one.record)])
        return True

    def require_right_clock(self) -> None:
        """Raises WrongClock when our time is not the server's, or was changed since this pull began: before a load."""
        for session in self._before:
            session.server_clock.require_checked()
        passed = clock.steady_seconds() - self._observed_steady
        changed = clock.now() - self.observed_at - timedelta(seconds=passed)
        if abs(changed) > REFUSE_AFTER and not clock.is_set_by_hand():
            raise WrongClock(
                f"This machine's clock was changed by {round(changed / timedelta(hours=1)):,} hours while "
                f"{self.resource} was read, so nothing was stored: run this again."
            )

    def note_refused(self, endpoint: str, ids: Collection[str]) -> None:
        """Says in the report that these objects were refused (403), each for itself."""
        if ids:
            self._refused.setdefault(endpoint, set()).update(ids)
            self._short.append(f"{counted(len(ids), 'detail')} refused ({endpoint})")

    def note_short(self, sentence: str) -> None:
        """Says in the report what could not be read, or concluded."""
        self._short.append(sentence)

    def refused(self, endpoint: str) -> frozenset[str]:
        """The objects that were refused one by one."""
        return frozenset(self._refused.get(endpoint, ()))

    def left_out(self, endpoint: str) -> frozenset[str]:
        """The objects that were left out, because they are of people who are not to be stored."""
        return frozenset(self._left_out.get(endpoint, ()))

    @property
    def left_out_ids(self) -> frozenset[str]:
        """The same of every endpoint."""
        return frozenset(one for ids in self._left_out.values() for one in ids)

    @property
    def left_out_count(self) -> int:
        """How many records were left out, each once."""
        return len(self.left_out_ids) + len(self._left_out_before)

    def is_denied(self, session: ClinicSession, endpoint: str, object_id: str) -> bool:
        """Whether the object was asked for by its id, and the server said that there is none."""
        return self._found.get((endpoint, request_key(session, object_id, None))) is False

    def has_read(self, endpoint: str) -> bool:
        """Whether an object was read by its id from this endpoint."""
        return endpoint in self._by_id

    @property
    def view(self) -> View | None:
        """What all that is landed was seen with; None: nothing is, or users or clinics were mixed."""
        return common_view(self._views)

    def lines(self, endpoint: str) -> Callable[[], Iterator[Line]]:
        """What this pull has landed of an endpoint, as `load` wants it."""
        return lambda: self.file.lines(endpoint)

    def _take_up(self) -> None:
        """What an interrupted pull has landed need not be asked again."""
        for request, lines in self.file.records():
            self._views.add(view_of(request.envelope))
            self._found[request.endpoint, request.key] = request.found
            self._by_id.add(request.endpoint)
            if request.envelope is not None:
                self.read_since = min(self.read_since, datetime.fromisoformat(request.envelope.fetched_at))
            walk = self._walks.setdefault((request.endpoint, request.key, request.walk), Walk())
            landed = list(lines)
            self._left_out_before.update(request.left_out)
            self._note_shape(request)
            self.file.size = self.file.size.plus([line.record for line in landed])
            walk.add(request, [_row_id(request.endpoint, line) for line in landed])
            self._differences.see(request.endpoint, [orjson.loads(line.record) for line in landed])

    def _walk_once(self, ask: ListRequest, number: int) -> Walk:
        walk = self._walks.get((ask.endpoint, ask.key, number)) or Walk()
        if rest := walk.rest():
            pages = ask.session.pages(
                ask.endpoint,
                ask.path,
                ask.params,
                rest.first_page,
                total_pages=rest.total_pages,
                landed=frozenset(walk.pages),
            )
            for page in pages:
                walk.add(*self._land_page(ask, page, number))
                if ask.is_filtered and walk.of_others:
                    break  # the filter is ignored: everybody's whole history would come
        return walk

    def _land_page(self, ask: ListRequest, page: Page, walk: int) -> tuple[Request, list[str]]:
        if page.unexpected_wrapper:
            self._drift.add((ask.endpoint, "wrapper", page.wrapper_key))
        self._differences.see(ask.endpoint, page.records)
        lines = [keyed_line(record) for record in page.records]
        if ask.endpoint in _ROWS_WITHOUT_ID:
            lines = [(_row_id(ask.endpoint, parse_line(line)), line) for _, line in lines]
        request = Request(
            ask.endpoint,
            ask.key,
            page.number,
            len(lines),
            page.is_last,
            page.total_count,
            total_pages=page.total_pages,
            walk=walk,
            is_bare=page.wrapper_key == "",
            of_others=count_of_others(page.records, ask.patient),
            left_out=tuple(page.left_out),
            envelope=self._envelope(ask.session, page.fetched_at, page.request_id, ask.parent),
        )
        self.file.append(request, [line for _, line in lines])
        self._left_out.setdefault(ask.endpoint, set()).update(page.left_out.values())
        self._note_shape(request)
        return request, [record_id for record_id, _ in lines]

    def _note_shape(self, request: Request) -> None:
        if request.is_bare and request.records:
            self._bare.add(request.endpoint)

    def _note_use(self, session: ClinicSession) -> None:
        self._before.setdefault(session, (sum(session.requests.values()), session.retries))

    def _sent(self) -> int:
        return sum(sum(session.requests.values()) - before for session, (before, _) in self._before.items())

    def _retries(self) -> int:
        return sum(session.retries - before for session, (_, before) in self._before.items())

    def _envelope(
        self, session: ClinicSession, fetched_at: datetime, request_id: str | None, parent: str | None = None
    ) -> Envelope:
        clinic = session.clinic
        viewers = [(user, sorted(scopes)) for user, scopes in session.viewers]
        moment = fetched_at.astimezone(UTC).isoformat()
        envelope = Envelope(clinic.clinic_id, clinic.region, moment, request_id, parent, viewers)
        self._views.add(view_of(envelope))
        return envelope


def _row_id(endpoint: str, line: Line) -> str:
    return line.hash if endpoint in _ROWS_WITHOUT_ID else line.id
