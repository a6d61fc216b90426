"""Writes the files beside a digest's page, for other programs: CSV, JSON Lines with their schema, an Excel workbook.

What does not belong here: the page (`digest`), feeds (`brands`), the formats themselves (the catalog room,
`catalog_workbooks`).
"""

from collections.abc import Sequence
from datetime import datetime

import orjson

from fullscript_pipeline.catalog import (
    JSONL_SCHEMA,
    JSONL_VERSION,
    CatalogChange,
    Digest,
    to_csv,
    to_jsonl,
)
from fullscript_pipeline.reports.catalog_workbooks import digest_workbook
from fullscript_pipeline.reports.store import ReportStore

LINES_SUFFIX = f"v{JSONL_VERSION}.jsonl"


def write_digest_files(store: ReportStore, digest: Digest, made_at: datetime) -> None:
    """Writes the files of a day's digest, and the schema of the lines. A held digest lists nothing."""
    region, day = digest.region, digest.to_day
    rows = listed_rows(digest)
    store.write(store.path_for_digest(region, day, "csv"), to_csv(rows))
    store.write(store.path_for_digest(region, day, "xlsx"), digest_workbook(digest, made_at))
    lines = "".join(f"{line}\n" for line in to_jsonl(rows))
    path = store.path_for_digest(region, day, LINES_SUFFIX)
    store.write(path, lines)
    schema = orjson.dumps(JSONL_SCHEMA, option=orjson.OPT_INDENT_2).decode() + "\n"
    store.write(path.with_name(f"schema.v{JSONL_VERSION}.json"), schema)


def write_watched_files(store: ReportStore, digest: Digest, made_at: datetime) -> None:
    """Writes the files of the digest of the watched brands."""
    region, day = digest.region, digest.to_day
    store.write(store.path_for_watched(region, day, "csv"), to_csv(listed_rows(digest)))
    store.write(store.path_for_watched(region, day, "xlsx"), digest_workbook(digest, made_at))


def listed_rows(digest: Digest) -> Sequence[CatalogChange]:
    """The changes that files list: none of a held digest."""
    return [] if digest.held else digest.rows
