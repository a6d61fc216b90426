"""One pull of one resource: it lands every page before the next request, then stores everything in one transaction.

It resumes an interrupted pull: the frames of its file say which requests are answered. What does not belong here: which
endpoints to fetch (`extraction.pulls`), what the pull says of itself (`pull_summary`), HTTP.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import duckdb
import orjson

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicSession, Differences, NotFound, Page, PurgedObjectError
from fullscript_pipeline.extraction.engine.answer_origin import view_of_envelope
from fullscript_pipeline.extraction.engine.landing_lock import open_landing_file
from fullscript_pipeline.extraction.engine.list_progress import (
    FetchedList,
    ListRequest,
    Walk,
    count_of_others,
    request_key,
)
from fullscript_pipeline.extraction.engine.pull_summary import PullSummary
from fullscript_pipeline.extraction.engine.pull_types import Load, Report, Target
from fullscript_pipeline.warehouse import Line, Request, keyed_line, make_line, parse_line
from fullscript_pipeline.warehouse.event_log import event_proof
from fullscript_pipeline.warehouse.loading import Context, Counts, drift, load, narrower_views, pull_log

# Lists whose `id` is not an id of their rows: rows are identified by their content.
_ROWS_WITHOUT_ID = frozenset({"metadata"})


class Pull:
    """Lands and stores one resource for one partition. `file_name`: of the landing file, by default the resource's."""

    def __init__(self, target: Target, resource: str, *, file_name: str | None = None) -> None:
        self.target = target
        self.summary = PullSummary(target, resource)
        self.file, self._release = open_landing_file(
            target.folder,
            file_name or resource,
            self.summary.pull_id,
            landing_dir=target.landing_dir,
            encryption_key=target.encryption_key,
            shared=target.shared,
        )
        self._object_exists: dict[tuple[str, str], bool] = {}
        self._walks: dict[tuple[str, str, int], Walk] = {}
        # Endpoints whose objects were read by id.
        self._by_id: set[str] = set()
        # Endpoints that have answered with a bare array of rows.
        self._bare: set[str] = set()
        self._drift: set[tuple[str, str, str]] = set()
        self._differences = Differences()
        self._resume_landed()

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
        walk = self._fetch_list_once(list_request, 1)
        if not walk.is_consistent and not (list_request.is_filtered and walk.of_others):
            second = self._fetch_list_once(list_request, 2)
            if second.is_consistent:
                self.file.only_from(endpoint, list_request.key, 2)
            walk = second if second.is_consistent else walk.combined_with(second)
        if caution := walk.caution(endpoint, has_bare_rows=endpoint in self._bare):
            self.summary.add_caution(caution)
        return walk.as_fetched_list(is_complete=caution is None)

    def land_object(
        self,
        session: ClinicSession,
        endpoint: str,
        object_id: str | None = None,
        *,
        params: Mapping[str, str] | None = None,
    ) -> bool:
        """Lands one object by id. Returns False when the server answers 404."""
        key = request_key(session, object_id, params)
        self.summary.record_usage(session)
        if (exists := self._object_exists.get((endpoint, key))) is not None:
            return exists
        try:
            answer = session.fetch_object(endpoint, {"id": object_id} if object_id is not None else {}, params or {})
        except PurgedObjectError:
            self.summary.record_left_out(endpoint, [object_id or ""])
            return False
        except NotFound:
            envelope = self.summary.envelope(session, clock.now(), None)
            self.file.append(Request(endpoint=endpoint, key=key, found=False, envelope=envelope), [])
            self._object_exists[endpoint, key] = False
            return False
        self._by_id.add(endpoint)
        if answer.unexpected_wrapper:
            self._drift.add((endpoint, "wrapper", "not the expected one"))
        self._differences.see(endpoint, [answer.record])
        envelope = self.summary.envelope(session, answer.fetched_at, answer.request_id)
        self.file.append(Request(endpoint=endpoint, key=key, records=1, envelope=envelope), [make_line(answer.record)])
        return True

    def is_denied(self, session: ClinicSession, endpoint: str, object_id: str) -> bool:
        """Whether the object was fetched by id, and answered 404."""
        return self._object_exists.get((endpoint, request_key(session, object_id, None))) is False

    def has_fetched_by_id(self, endpoint: str) -> bool:
        """Whether an object was read by id from this endpoint."""
        return endpoint in self._by_id

    def lines(self, endpoint: str) -> Callable[[], Iterator[Line]]:
        """Returns the landed lines of an endpoint, as `Load` takes them."""
        return lambda: self.file.lines(endpoint)

    def commit(self, *loads: Load, total_count: int | None = None) -> Report:
        """Stores rows, history and `ops.pulls` in one transaction. Only then the landing file counts as finished.

        A pull with tokens of several users proves no absence.
        """
        summary, counts = self.summary, dict[str, Counts]()
        proving = [_without_proof(load) for load in loads] if summary.is_mixed else [*loads]
        summary.require_right_clock()
        with self.target.warehouse.write() as con:
            context = summary.context(con)
            for load_part in proving:
                self._store(con, load_part, context, counts)
            narrower = narrower_views.narrowing_sentences(con, context, counts)
            caution = summary.caution(counts, narrower, proof_was_dropped=proving != [*loads])
            row = summary.row("loaded", caution, counts, pages=self.file.appended_pages, total_count=total_count)
            row = replace(row, complete=bool(proving and proving[0].missing_among))
            main = counts.get(loads[0].table.name, Counts()) if loads else Counts()
            pull_log.record(con, context, row, main)
            drift.record(con, context, [*self._drift, *self._differences.differences()])
        self._finish()
        return summary.report(row, counts)

    def record_refusal(self, reason: str) -> Report:
        """Records that this clinic (or region) may not read the resource. That is no failure."""
        self.summary.require_right_clock()
        with self.target.warehouse.write() as con:
            context = self.summary.context(con)
            row = self.summary.row("not_available", reason, {}, pages=self.file.appended_pages, total_count=None)
            pull_log.record(con, context, row, Counts())
        self._finish()
        return self.summary.report(row, {})

    def record_reread_changes(self, changes: int) -> None:
        """Records how many changes only re-reading found, in the row that was committed."""
        with self.target.warehouse.write() as con:
            pull_log.record_reread_changes(con, self.summary.pull_id, changes)

    def _resume_landed(self) -> None:
        """Restores the state from the pages that an interrupted pull landed."""
        for request, lines in self.file.records():
            landed, envelope = list(lines), request.envelope
            read_at = datetime.fromisoformat(envelope.fetched_at) if envelope else None
            self.summary.resume(read_at, view_of_envelope(envelope), request.left_out)
            self._object_exists[request.endpoint, request.key] = request.found
            self._by_id.add(request.endpoint)
            walk = self._walks.setdefault((request.endpoint, request.key, request.walk), Walk())
            self.file.size = self.file.size.plus([line.record for line in landed])
            if request.is_bare and request.records:
                self._bare.add(request.endpoint)
            walk.add(request, [_row_id(request.endpoint, line) for line in landed])
            self._differences.see(request.endpoint, [orjson.loads(line.record) for line in landed])

    def _fetch_list_once(self, list_request: ListRequest, number: int) -> Walk:
        self.summary.record_usage(list_request.session)
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
        endpoint = list_request.endpoint
        if page.unexpected_wrapper:
            self._drift.add((endpoint, "wrapper", page.wrapper_key))
        self._differences.see(endpoint, page.records)
        self.summary.record_left_out(endpoint, page.left_out.values())
        parent = list_request.parent
        envelope = self.summary.envelope(list_request.session, page.fetched_at, page.request_id, parent)
        lines = [keyed_line(record) for record in page.records]
        if endpoint in _ROWS_WITHOUT_ID:
            lines = [(_row_id(endpoint, parse_line(line)), line) for _, line in lines]
        request = Request(
            endpoint=endpoint,
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
            envelope=envelope,
        )
        self.file.append(request, [line for _, line in lines])
        if request.is_bare and request.records:
            self._bare.add(endpoint)
        return request, [record_id for record_id, _ in lines]

    def _store(
        self, con: duckdb.DuckDBPyConnection, load_part: Load, context: Context, counts: dict[str, Counts]
    ) -> None:
        """Loads a part, adds to `counts` what that did, and records which events it answers."""
        table = load_part.table
        loaded = load(
            con,
            table,
            load_part.lines,
            load_part.scoped(context),
            missing_among=load_part.missing_among,
            gone=load_part.gone,
            listed=load_part.listed,
            size=self.file.size,
        )
        counts[table.name] = counts.get(table.name, Counts()) + loaded
        is_narrowed = narrower_views.is_narrowed(con, context, table, loaded)
        event_proof.answer_events(con, table, self.summary.proof(load_part, is_narrowed=is_narrowed))
        # Held removals are checked again at the next pull, so the rows must not count as read.
        if load_part.after and not counts[table.name].held:
            load_part.after(con)

    def _finish(self) -> None:
        self.file.finish()
        self._release()


def _row_id(endpoint: str, line: Line) -> str:
    return line.hash if endpoint in _ROWS_WITHOUT_ID else line.id


def _without_proof(load: Load) -> Load:
    """Drops what absence would prove, but for a region's products: they are gone when every clinic answers 404."""
    return replace(load, missing_among=None, gone=() if load.table.scope == "clinic" else load.gone)
