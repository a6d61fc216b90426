"""`pull --dry-run`: prints the request estimate of a pull.

What does not belong here: the estimate (`extraction.request_estimate`), and which partitions a pull has
(`cli.pull_runner`).
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cache

import duckdb

from fullscript_pipeline.api import ClinicRef, ClinicSession, open_session
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.extraction.request_estimate import EstimateLine, RowCounter, minutes_at_budget, no_counting
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import Warehouse

# The filters that a pull lists with; a count without them would be of another list.
_FILTERS = {"patients": {"patient_type": "all"}}


@contextmanager
def row_counter(settings: Settings, store: StateStore, asks_server: bool) -> Iterator[RowCounter]:
    """Counts the rows of a list by requesting a page of one row; without `asks_server`, counts nothing."""
    if not asks_server:
        yield no_counting
        return
    with ExitStack() as opened:
        sessions: dict[str, ClinicSession] = {}

        @cache
        def count_rows(clinic: ClinicRef, endpoint: str) -> int | None:
            try:
                if clinic.clinic_key not in sessions:
                    sessions[clinic.clinic_key] = opened.enter_context(open_session(settings, store, clinic))
                pages = sessions[clinic.clinic_key].pages(endpoint, params=_FILTERS.get(endpoint, {}), page_size=1)
                return next(iter(pages)).total_count
            except PipelineError as problem:
                print_message(f"{clinic.clinic_key}, {endpoint}: {problem}")
                return None

        yield count_rows


@contextmanager
def read_if_exists(warehouse: Warehouse | None) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """A connection for reading; None while there is no warehouse."""
    if warehouse is None or not warehouse.exists():
        yield None
        return
    with warehouse.read() as con:
        yield con


def print_estimate(lines: Sequence[EstimateLine], per_5_min: int, *, is_counted: bool, as_json: bool) -> None:
    """Prints the lines, then the total and the minutes that it takes within the request budget."""
    total, is_open = sum(line.requests for line in lines), any(line.at_least for line in lines)
    servers = sorted({line.server for line in lines})
    if as_json:
        for line in lines:
            print_data(json.dumps(asdict(line)))
        summary = {"total_requests": total, "at_least": is_open, "minutes": minutes_at_budget(total, per_5_min)}
        print_data(json.dumps({**summary, "requests_per_5_min": per_5_min, "servers": servers}))
        return
    rows = [[line.owner, line.endpoint, _format_requests(line), line.why] for line in lines]
    rows.append(["total", "", f"{'>= ' if is_open else ''}{total:,}", _format_minutes(lines, per_5_min)])
    print_data(format_columns(["of", "endpoint", "requests", "why"], rows))
    if is_open and is_counted:
        print_message(">= : the exact number is known only when the pull runs.")
    elif is_open:
        print_message(
            ">= : the length of these lists is not known; `--ask` requests one small page of each to find out."
        )


def _format_requests(line: EstimateLine) -> str:
    return f"{'>= ' if line.at_least else ''}{line.requests:,}"


def _format_minutes(lines: Sequence[EstimateLine], per_5_min: int) -> str:
    """The minutes at each server: every server has its own request budget."""
    by_server: dict[str, int] = {}
    for line in lines:
        by_server[line.server] = by_server.get(line.server, 0) + line.requests
    parts = (
        f"{minutes_at_budget(number, per_5_min):,} min on {server}" for server, number in sorted(by_server.items())
    )
    return f"at {per_5_min:,} requests per 5 min: {', '.join(parts)}"
