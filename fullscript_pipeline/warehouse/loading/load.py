"""Loads landed records into core and history: compares hashes, and writes only what differs, in one transaction.

The caller holds the transaction (`Warehouse.write`). What does not belong here: fetching, which records to ask for,
`ops.pulls` (`pull_log.py`).
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import compress, islice

import duckdb
import pyarrow as pa

from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse import memory
from fullscript_pipeline.warehouse.landing import Line, Size
from fullscript_pipeline.warehouse.loading import (
    children,
    double_versions,
    mass_deletion_guard,
    merge,
    quarantine,
    reader_views,
    shared_children,
    staging,
    valid_time,
)
from fullscript_pipeline.warehouse.loading.load_context import Context, Counts
from fullscript_pipeline.warehouse.loading.removal_scope import Among

BATCH = 2_000
BATCH_BYTES = 2**18
_UNKNOWN = Size()

Lines = Callable[[], Iterator[Line]]

_INCOMING = pa.schema([(name, pa.string()) for name in ("parent_id", "id", "hash", "record")])
_KEYS = pa.schema([("parent_id", pa.string()), ("id", pa.string()), ("hash", pa.string()), ("ordinal", pa.int64())])


def load(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    lines: Lines,
    context: Context,
    *,
    missing_among: Among | None = None,
    gone: Sequence[str] = (),
    listed: Collection[str] | None = None,
    size: Size = _UNKNOWN,
) -> Counts:
    """Writes the records that differ from the latest known version.

    `lines` is called twice and must yield the same records both times; of several with one id, the last counts.
    `missing_among`: the lines are complete for these stored rows, so rows that are missing are marked removed, unless
    there are too many at once (`mass_deletion_guard`); None: absence means nothing. `gone`: ids that the server
    answered 404 for, one by one. Neither removes a row that the context's view has never seen (`reader_views`).
    `listed`: the ids that a list showed, while the others were fetched one by one (None: all were listed). `size`: of
    all landed lines, to compute the memory of the load. A record that cannot be typed raises nothing: it goes to
    `ops.quarantine`.
    """
    with memory.memory_limit_for_load(con, table, size):
        return _load(con, table, lines, context, missing_among=missing_among, gone=gone, listed=listed)


def _load(
    con: duckdb.DuckDBPyConnection,
    table: Table,
    lines: Lines,
    context: Context,
    *,
    missing_among: Among | None,
    gone: Sequence[str],
    listed: Collection[str] | None,
) -> Counts:
    _stage_keys(con, table, lines)
    staging.begin_load(con, context)
    double_versions.repair_versions(con, table)
    visibility = reader_views.register_view(con, table, context)
    diff = merge.diff_hashes(con, table)
    bad, bad_lines = _merge(con, table, lines, diff) if diff.records else (merge.Quarantined(0, 0), 0)
    mass_deletion_guard.forget_returned(con, table)
    quarantine.resolve_records(con, table, everything=missing_among is not None and missing_among.is_everything)
    reader_views.record_sightings(con, table, visibility, listed, is_listing=missing_among is not None)
    missing = merge.remove_missing(con, table, missing_among, visibility) if missing_among else merge.MissingRows()
    removed = missing.removed + (merge.remove_denied(con, table, gone, visibility) if gone else 0)
    return Counts(
        read=staging.count(con, "newest"),
        added=diff.new - bad.unknown,
        changed=diff.records - diff.new - (bad.records - bad.unknown),
        removed=removed,
        quarantined=bad.records + bad_lines,
        held=missing.held,
        unproven=missing.unproven,
        narrower=int(not visibility.is_full),
        untyped=staging.record_noted_fields(con),
    )


def _merge(
    con: duckdb.DuckDBPyConnection, table: Table, lines: Lines, diff: merge.HashDiff
) -> tuple[merge.Quarantined, int]:
    """Types and writes the lines that differ. Returns the records, and the number of lines, that went to quarantine."""
    _load_staging(con, table, _batches(lines, diff.selected))
    staging.note_untyped(con, table, "incoming")
    shared_children.keep_parents(con, table)
    bad = merge.merge_staging(con, table)
    for child in table.children:
        memory.allow_more(con, child.table)
    bad_lines = children.merge(con, table)
    valid_time.date_versions(con, table)
    return bad, bad_lines


def _load_staging(con: duckdb.DuckDBPyConnection, table: Table, batches: Iterator[pa.RecordBatch]) -> None:
    """Makes the temp table `incoming` from the batches, with one batch in memory at a time.

    All batches are staged before one merge: a merge per batch in one transaction took twice the memory.
    """
    con.register("arriving", pa.RecordBatchReader.from_batches(_INCOMING, batches).__arrow_c_stream__())
    staging.load_staging(con, table, "arriving")
    con.unregister("arriving")


def _stage_keys(con: duckdb.DuckDBPyConnection, table: Table, lines: Lines) -> None:
    """Makes the temp table `newest`: the hash and place of the last line of each record.

    The id alone is the key, whatever the record was listed under: a plan arrives in its patient's list and by id.
    """
    parent_id = "parent_id" if len(table.key) > 1 else "NULL::VARCHAR AS parent_id"
    con.register("arriving", pa.RecordBatchReader.from_batches(_KEYS, _key_batches(lines)).__arrow_c_stream__())
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE newest AS SELECT {parent_id}, id, arg_max(hash, ordinal) AS hash, "
        "max(ordinal) AS ordinal FROM arriving GROUP BY ALL"
    )
    con.unregister("arriving")


def _key_batches(lines: Lines) -> Iterator[pa.RecordBatch]:
    ordinal, arriving = 0, lines()
    while chunk := list(islice(arriving, BATCH)):
        ids, parents, digests, _ = zip(*chunk, strict=True)
        columns = [pa.array(column, pa.string()) for column in (parents, ids, digests)]
        places = pa.array(range(ordinal, ordinal + len(chunk)), pa.int64())
        yield pa.record_batch([*columns, places], schema=_KEYS)
        ordinal += len(chunk)


def _batches(lines: Lines, selected: bytearray) -> Iterator[pa.RecordBatch]:
    for chunk in _chunks(compress(lines(), selected)):
        ids, parents, digests, records = zip(*chunk, strict=True)
        columns = [pa.array(column, pa.string()) for column in (parents, ids, digests, records)]
        yield pa.record_batch(columns, schema=_INCOMING)


def _chunks(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Yields a few lines at a time: DuckDB reads all records of a batch at once, and needs many times their length."""
    chunk: list[Line] = []
    length = 0
    for line in lines:
        chunk.append(line)
        length += len(line.record)
        if len(chunk) == BATCH or length >= BATCH_BYTES:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk
