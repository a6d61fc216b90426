"""One pull of one resource: land every page, then one transaction, then the state store.

A pull that was interrupted is taken up where it stopped: the frames of its file say which requests are answered. What
does not belong here: which endpoints to ask (`clinic`, `plans`, `orders`, `labs`, `events`, `catalog`, `variants`).
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

import duckdb
import orjson

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef, ClinicSession, NotFound, ScopeError
from fullscript_pipeline.api.pages import Page
from fullscript_pipeline.extraction.claims import claimed_file, give_up
from fullscript_pipeline.warehouse import pulls
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.landing import Envelope, FrameFile, Line, Request, make_line
from fullscript_pipeline.warehouse.load import Context, Counts, load
from fullscript_pipeline.warehouse.tables import Table

WORKERS = 8

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """Where a pull belongs: a clinic's or a region's cell, and the stores it writes to."""

    warehouse: Warehouse
    landing_dir: Path
    encryption_key: str | None
    server: str
    region: str
    day: date
    run_id: str
    clinic: ClinicRef | None = None

    @property
    def owner(self) -> str:
        return self.clinic.clinic_key if self.clinic else self.region

    @property
    def folder(self) -> Path:
        """Where this cell's pages land."""
        return self.landing_dir / self.server / self.owner / self.day.isoformat()


@dataclass(frozen=True)
class Listing:
    """A list that was walked to its end. `ids` are the distinct record ids in order of arrival."""

    ids: tuple[str, ...]
    total_count: int | None

    @property
    def complete(self) -> bool:
        """As many distinct rows as the server says there are (or it does not say)."""
        return self.total_count is None or len(self.ids) >= self.total_count


@dataclass(frozen=True)
class Load:
    """One table's share of a commit. See `warehouse.load.load` for `missing_among`; `gone`: ids the server denies;
    `of_no_clinic`: rows that the vendor ties to no clinic; `after` runs in the same transaction."""

    table: Table
    lines: Callable[[], Iterator[Line]]
    missing_among: str | None = None
    gone: Sequence[str] = ()
    of_no_clinic: bool = False
    after: Callable[[duckdb.DuckDBPyConnection], None] | None = None

    def scoped(self, context: Context) -> Context:
        return replace(context, clinic_id=None) if self.of_no_clinic else context


@dataclass(frozen=True)
class Report:
    """What a pull of one resource came to; what assets show as metadata."""

    resource: str
    outcome: str
    reason: str | None = None
    counts: Mapping[str, Counts] = field(default_factory=dict)
    requests: int = 0
    pages: int = 0
    retries: int = 0
    total_count: int | None = None
    seconds: float = 0.0


class Pull:
    """Lands and commits one resource of one cell."""

    def __init__(self, target: Target, resource: str) -> None:
        self.target = target
        self.resource = resource
        self.started_at = clock.real_now()
        self.observed_at = clock.now()
        self.pull_id = uuid.uuid4().hex
        path, self._claim = claimed_file(target.folder, resource, self.pull_id)
        self.file = FrameFile(path, target.encryption_key)
        self.file.cut_torn_end()
        self._answered = _answered(self.file)
        self._drift: set[tuple[str, str]] = set()

    def walk(
        self,
        session: ClinicSession,
        endpoint: str,
        *,
        path: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Listing:
        """Walks a list to its end and lands each page before the next is asked.

        Pages move while they are read: a listing that ends with fewer rows than the server counts is walked once more.
        """
        parent = next(iter(path.values())) if path else None
        key = _request_key(session, parent, params)
        ids, total, first = self._landed_part(endpoint, key)

        def go_on(number: int) -> None:
            nonlocal total
            for page in session.pages(endpoint, path or {}, params or {}, first_page=number):
                ids.update(dict.fromkeys(self._land_page(session, endpoint, key, parent, page)))
                total = page.total_count if page.total_count is not None else total

        if first:
            go_on(first)
        if not Listing(tuple(ids), total).complete:
            go_on(1)
        return Listing(tuple(ids), total)

    def one(self, session: ClinicSession, endpoint: str, object_id: str | None = None) -> bool:
        """Lands one object by id. False: the server says that there is none (404)."""
        key = _request_key(session, object_id, None)
        if landed := self._answered.get((endpoint, key)):
            return landed[-1].found
        try:
            one = session.one(endpoint, {"id": object_id} if object_id is not None else {})
        except NotFound:
            self.file.append(Request(endpoint, key, found=False), [])
            return False
        envelope = self._envelope(session, endpoint, one.fetched_at, one.request_id, None)
        self.file.append(Request(endpoint, key, records=1), [make_line(envelope, one.record)])
        return True

    def lines(self, endpoint: str) -> Callable[[], Iterator[Line]]:
        """What this pull has landed of an endpoint, as `load` wants it."""
        return lambda: self.file.lines(endpoint)

    def fill_thin_rows(self, session: ClinicSession, listed: str, detail: str, array: str) -> None:
        """Asks for the detail of every listed row that came without `array`; whole rows cost nothing more."""
        thin = dict.fromkeys(line.id for line in self.file.lines(listed) if not _has(line, array))
        in_parallel(lambda one: self.one(session, detail, one), thin)

    def whole_rows(self, listed: str, detail: str, array: str) -> Callable[[], Iterator[Line]]:
        """The listed rows that are whole, then the details."""

        def lines() -> Iterator[Line]:
            yield from (line for line in self.file.lines(listed) if _has(line, array))
            yield from self.file.lines(detail)

        return lines

    def commit(self, *loads: Load, total_count: int | None = None, listed_by: str | None = None) -> Report:
        """Rows, history and `ops.pulls` in one transaction; only then the landing file counts as done."""
        counts: dict[str, Counts] = {}
        with self.target.warehouse.write() as con:
            context = self._context(con)
            for one in loads:
                counts[one.table.name] = counts.get(one.table.name, Counts()) + load(
                    con, one.table, one.lines, one.scoped(context), missing_among=one.missing_among, gone=one.gone
                )
                if one.after:
                    one.after(con)
            main = counts.get(loads[0].table.name, Counts()) if loads else Counts()
            complete = bool(loads and loads[0].missing_among)
            pulls.record(con, context, self._row("loaded", None, total_count, complete, listed_by), main)
            pulls.record_drift(con, context, self._drift)
        self._done()
        return self._report("loaded", None, counts, total_count)

    def not_available(self, reason: str) -> Report:
        """Records that this clinic (or region) may not read the resource: no failure."""
        with self.target.warehouse.write() as con:
            pulls.record(con, self._context(con), self._row("not_available", reason), Counts())
        self._done()
        return self._report("not_available", reason, {}, None)

    def _land_page(self, session: ClinicSession, endpoint: str, key: str, parent: str | None, page: Page) -> list[str]:
        if page.unexpected_wrapper:
            self._drift.add((endpoint, page.wrapper_key))
        envelope = self._envelope(session, endpoint, page.fetched_at, page.request_id, parent)
        lines = [make_line(envelope, record) for record in page.records]
        request = Request(endpoint, key, page.number, len(lines), page.is_last, page.total_count)
        self.file.append(request, lines)
        return [str(record.get("id")) for record in page.records]

    def _landed_part(self, endpoint: str, key: str) -> tuple[dict[str, None], int | None, int | None]:
        """What an interrupted pull has of a list: its ids, total, and the page to go on with (None: all there)."""
        landed = self._answered.get((endpoint, key), [])
        if not landed:
            return {}, None, 1
        ids = {
            line.id: None
            for request, lines in self.file.records()
            if (request.endpoint, request.key) == (endpoint, key)
            for line in lines
        }
        last = landed[-1]
        return ids, last.total_count, None if last.is_last else last.page + 1

    def _envelope(
        self,
        session: ClinicSession,
        endpoint: str,
        fetched_at: datetime,
        request_id: str | None,
        parent: str | None,
    ) -> Envelope:
        clinic = session.clinic
        return Envelope(
            clinic.clinic_id, clinic.region, endpoint, fetched_at.astimezone(UTC).isoformat(), request_id, parent
        )

    def _context(self, con: duckdb.DuckDBPyConnection) -> Context:
        """The observation never lies before the last one: a slower pull must not reach behind a newer one."""
        last = pulls.last_observation(con)
        observed = max(self.observed_at, last) if last else self.observed_at
        clinic = self.target.clinic
        return Context(
            self.target.server,
            self.target.region,
            clinic.clinic_id if clinic else None,
            clinic.clinic_key if clinic else None,
            observed,
            self.pull_id,
        )

    def _row(
        self,
        outcome: str,
        reason: str | None,
        total_count: int | None = None,
        complete: bool = False,
        listed_by: str | None = None,
    ) -> pulls.PullRow:
        return pulls.PullRow(
            resource=self.resource,
            day=self.target.day,
            run_id=self.target.run_id,
            started_at=self.started_at,
            finished_at=clock.real_now(),
            outcome=outcome,
            reason=reason,
            requests=self.file.appended,
            pages=self.file.appended_pages,
            total_count=total_count,
            complete=complete,
            listed_by=listed_by,
        )

    def _report(
        self, outcome: str, reason: str | None, counts: Mapping[str, Counts], total_count: int | None
    ) -> Report:
        seconds = (clock.real_now() - self.started_at).total_seconds()
        return Report(
            self.resource,
            outcome,
            reason,
            counts,
            self.file.appended,
            self.file.appended_pages,
            total_count=total_count,
            seconds=round(seconds, 3),
        )

    def _done(self) -> None:
        self.file.rename(".frames")
        give_up(self._claim)


def read_by_id(target: Target, session: ClinicSession, endpoint: str, table: Table, ids: Sequence[str]) -> Report:
    """Reads these objects by id; one that the server denies is gone."""
    pull = Pull(target, f"{table.name}_by_id")
    try:
        gone = absent(ids, in_parallel(lambda one: pull.one(session, endpoint, one), ids))
    except ScopeError as refusal:
        return pull.not_available(str(refusal))
    return pull.commit(Load(table, pull.lines(endpoint), gone=gone))


def in_parallel(work: Callable[[str], T], ids: Iterable[str]) -> list[T]:
    """Calls `work` for each id, a few at a time; the first error stops what has not begun and is raised."""
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            return list(pool.map(work, ids))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _has(line: Line, array: str) -> bool:
    return f'"{array}"'.encode() in line.record and isinstance(orjson.loads(line.record).get(array), list)


def absent(ids: Sequence[str], found: Sequence[bool]) -> list[str]:
    """Those of the ids that `Pull.one` did not find."""
    return [one for one, there in zip(ids, found, strict=True) if not there]


def _request_key(session: ClinicSession, parent: str | None, params: Mapping[str, str] | None) -> str:
    filters = "&".join(f"{name}={value}" for name, value in sorted((params or {}).items()))
    return f"{session.clinic.clinic_key}/{parent or ''}?{filters}"


def _answered(file: FrameFile) -> dict[tuple[str, str], list[Request]]:
    answered: dict[tuple[str, str], list[Request]] = {}
    for request in file.requests():
        answered.setdefault((request.endpoint, request.key), []).append(request)
    return answered
