"""Fetches the details of incomplete listed rows one by one, and decides which can wait.

A detail is read again when its listed row has changed, when the caller says that it may change without that, and
otherwise as part of the day's rolling re-read. What does not belong here: which endpoint has which details.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import ceil
from typing import TypeVar

import duckdb
import orjson

from fullscript_pipeline.api import ClinicSession, ScopeError
from fullscript_pipeline.extraction.engine.pull import Pull
from fullscript_pipeline.extraction.engine.pull_types import in_parallel
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse import UNKEYED, Line, stored_hashes
from fullscript_pipeline.warehouse.event_log import awaited_objects

# Every detail is read again within this many days (setting FULLSCRIPT_SWEEP_DAYS).
SWEEP_DAYS = 14

# After so many refusals without an answer it is the scope, not the object.
_REFUSALS = 20

After = Callable[[duckdb.DuckDBPyConnection], None]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class CompletedRows:
    """Rows of a list with their details: `lines`, `after` and `unread` as `Load` takes them."""

    lines: Callable[[], Iterator[Line]]
    after: After
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class DetailSource:
    """Where the complete object is when a listed row lacks one of `arrays`, or fails `extra_check`."""

    endpoint: str
    table: Table
    arrays: tuple[str, ...]
    extra_check: Callable[[Line], bool] = lambda line: True

    def is_complete(self, line: Line) -> bool:
        """Whether a listed row needs no detail."""
        if not all(f'"{array}"'.encode() in line.record for array in self.arrays):
            return False
        record = orjson.loads(line.record)
        return all(isinstance(record.get(array), list) for array in self.arrays) and self.extra_check(line)


def complete_from_details(
    pull: Pull,
    session: ClinicSession,
    detail: DetailSource,
    listed: Callable[[], Iterator[Line]],
    *,
    sweep_days: int = SWEEP_DAYS,
    may_change: Callable[[Line], bool] = lambda line: False,
    read_details: Callable[[], Callable[[], Iterator[Line]]] | None = None,
) -> CompletedRows:
    """Returns complete rows: as listed, with the detail where that is due, else as stored.

    `may_change`: whether a row may change although its listed row does not. `read_details` is called when the details
    are landed, and returns their lines; by default as landed.

    A row whose detail answers 404 stays as stored, or as listed when it is new.
    """
    incomplete = _incomplete_rows(listed(), detail)
    landed_details = read_details or (lambda: pull.lines(detail.endpoint))
    if not incomplete:
        details = landed_details() if pull.has_fetched_by_id(detail.endpoint) else lambda: iter(())
        return CompletedRows(lines=lambda: chain(listed(), details()), after=lambda con: None)
    stored, due_ids = _due_details(pull, session, detail, incomplete, sweep_days=sweep_days, may_change=may_change)
    read = fetch_each(pull, session, detail.endpoint, due_ids, any_stored=bool(stored))
    details = landed_details()

    def lines() -> Iterator[Line]:
        yield from _without_details(listed(), read, {key: stored[key] for key in incomplete.keys() & stored.keys()})
        yield from _with_parents(details(), incomplete)

    def after(con: duckdb.DuckDBPyConnection) -> None:
        reads = {object_id: (incomplete[object_id].hash, object_id in read) for object_id in due_ids}
        record_detail_reads(con, pull, owner=_owner(pull, session, detail), resource=detail.table.name, reads=reads)

    return CompletedRows(lines=lines, after=after, unread=frozenset(incomplete.keys() - read))


def _incomplete_rows(listed: Iterator[Line], detail: DetailSource) -> dict[str, Line]:
    """The listed rows that lack what only their detail has, by id."""
    return {line.id: line for line in listed if not line.id.startswith(UNKEYED) and not detail.is_complete(line)}


def _with_parents(details: Iterator[Line], listed: Mapping[str, Line]) -> Iterator[Line]:
    """Yields the details with the parents of their `listed` rows."""
    for line in details:
        listed_row = listed.get(line.id)
        yield line._replace(parent_id=listed_row.parent_id if listed_row else None)


def _without_details(listed: Iterator[Line], read: Collection[str], stored: Mapping[str, str]) -> Iterator[Line]:
    """Yields the listed rows whose details were not read: as `stored` (by hash) if they are in it, else as listed."""
    for line in listed:
        if line.id not in read:
            yield line._replace(hash=stored.get(line.id, line.hash))


def _owner(pull: Pull, session: ClinicSession, detail: DetailSource) -> str:
    return session.clinic.clinic_id if detail.table.scope == "clinic" else pull.target.region


def _due_details(
    pull: Pull,
    session: ClinicSession,
    detail: DetailSource,
    incomplete: Mapping[str, Line],
    *,
    sweep_days: int,
    may_change: Callable[[Line], bool],
) -> tuple[Mapping[str, str], list[str]]:
    """Returns the hashes of the stored rows by id, and which of the incomplete rows need their detail now."""
    owner = _owner(pull, session, detail)
    with pull.target.warehouse.read() as con:
        stored = stored_hashes(con, detail.table, owner)
        awaited = set(awaited_objects(con, owner, detail.table)) if detail.table.scope == "clinic" else set()
        always = [
            object_id
            for object_id, line in incomplete.items()
            if object_id not in stored or object_id in awaited or may_change(line)
        ]
        hashes = {object_id: line.hash for object_id, line in incomplete.items()}
        due = ids_due_for_refetch(con, owner, detail.table.name, hashes, always=always, sweep_days=sweep_days)
    return stored, due


def fetch_each(pull: Pull, session: ClinicSession, endpoint: str, ids: Iterable[str], *, any_stored: bool) -> set[str]:
    """Lands the objects by id. Returns those that the server has and shows. Raises as `fetch_allowed` does."""
    records_by_id = fetch_allowed(
        pull, endpoint, ids, lambda object_id: pull.land_object(session, endpoint, object_id), any_stored=any_stored
    )
    return {object_id for object_id, there in records_by_id.items() if there}


def fetch_allowed(
    pull: Pull, endpoint: str, ids: Iterable[str], fetch: Callable[[str], T], *, any_stored: bool
) -> dict[str, T | None]:
    """Returns `fetch(id)` of each id; None where the server refuses (403) this one, and the report says so.

    A user may have no access to single patients. Raises ScopeError when all are refused: of several ids, or of one when
    nothing was ever stored (`any_stored`). It stops after a few refusals.
    """
    refusals: dict[str, ScopeError] = {}
    answered: list[str] = []

    def allowed(object_id: str) -> T | None:
        try:
            fetched = fetch(object_id)
        except ScopeError as refusal:
            refusals[object_id] = refusal
            if len(refusals) >= _REFUSALS and not answered:
                raise
            return None
        answered.append(object_id)
        return fetched

    object_ids = list(ids)
    outcome = dict(zip(object_ids, in_parallel(allowed, object_ids), strict=True))
    if refusals and not answered and (len(object_ids) > 1 or not any_stored):
        raise next(iter(refusals.values()))
    pull.summary.record_refused_objects(endpoint, refusals)
    return outcome


def ids_due_for_refetch(
    con: duckdb.DuckDBPyConnection,
    owner: str,
    resource: str,
    listed: Mapping[str, str | None],
    *,
    always: Collection[str] = (),
    sweep_days: int = SWEEP_DAYS,
) -> list[str]:
    """Returns which of an owner's listed ids to read now, in their order. `listed`: the hash of the row, or None.

    They were never read, have another hash than at their last read, are in `always`, or belong to the longest unread
    1/`sweep_days`.
    """
    rows = con.execute(
        "SELECT object_id, list_hash, read_at FROM ops.detail_reads WHERE clinic_id = ? AND resource = ?",
        [owner, resource],
    ).fetchall()
    before = {object_id: (list_hash, read_at) for object_id, list_hash, read_at in rows if object_id in listed}
    due = {
        object_id
        for object_id, shown in listed.items()
        if object_id not in before or (shown and before[object_id][0] != shown)
    }
    due.update(always)
    waiting = sorted(
        (object_id for object_id in before if object_id not in due),
        key=lambda object_id: (before[object_id][1], object_id),
    )
    due.update(waiting[: ceil(len(before) / sweep_days)])
    return [object_id for object_id in listed if object_id in due]


def record_detail_reads(
    con: duckdb.DuckDBPyConnection,
    pull: Pull,
    *,
    owner: str,
    resource: str,
    reads: Mapping[str, tuple[str | None, bool]],
) -> None:
    """Records these reads: the hash of the listed row, and whether the server had the object."""
    if not reads:
        return
    con.execute(
        "DELETE FROM ops.detail_reads WHERE clinic_id = ? AND resource = ? AND object_id IN ?",
        [owner, resource, list(reads)],
    )
    con.execute(
        "INSERT INTO ops.detail_reads SELECT ?, ?, unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::BOOLEAN[]), ?",
        [
            owner,
            resource,
            list(reads),
            [list_hash for list_hash, _ in reads.values()],
            [exists for _, exists in reads.values()],
            pull.summary.observed_at,
        ],
    )
