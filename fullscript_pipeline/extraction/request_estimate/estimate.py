"""Estimates the requests of a daily pull before it runs.

The numbers come from the warehouse (counts of the last pulls, due patients) and the state store (today's refusals, how
many patients the connected user sees). No request is needed. What only the server knows is shown as "at least";
`count_rows` may fetch it with one small page per list. What does not belong here: the resources of a clinic and a
region (`clinic`, `region`), printing the estimate (`cli.dry_run`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import ceil

import duckdb

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.extraction.engine import SWEEP_DAYS
from fullscript_pipeline.extraction.pulls import TRAILING_DAYS
from fullscript_pipeline.plural import counted
from fullscript_pipeline.state import StateStore

# The vendor's largest page, which every list request uses.
PAGE = 100
MINUTES_OF_THE_BUDGET = 5
NOT_KNOWN = "never pulled: only the first page says how many there are"

# (clinic, endpoint) -> the rows of the list by the server's count; None: it gives no count, or is not requested.
RowCounter = Callable[[ClinicRef, str], int | None]


def no_counting(_clinic: ClinicRef, _endpoint: str) -> int | None:
    return None


@dataclass(frozen=True, kw_only=True)
class EstimateLine:
    """The estimated requests of one endpoint. 0 requests: skipped, and `why` says why.

    `owner`: the region, or the key of the clinic. `resource`: as in `ops.pulls`; `table`: an asset of the step that
    sends the requests.
    """

    owner: str
    server: str
    resource: str
    table: str
    endpoint: str
    requests: int
    why: str
    at_least: bool = False


@dataclass(frozen=True, kw_only=True)
class LastPull:
    """The result of the last pull of a resource."""

    outcome: str
    requests: int
    total_count: int | None


@dataclass(frozen=True, kw_only=True)
class ListSize:
    """How many rows a list has. `why` says where the number is from; `is_sure`: the server or the last pull gave it."""

    rows: int
    why: str
    is_sure: bool = True


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The settings of the rolling re-read and of the optional resources."""

    trailing_days: int = TRAILING_DAYS
    sweep_days: int = SWEEP_DAYS
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EstimateInputs:
    """What an estimate for one owner (a clinic's key, or a region) is computed from.

    `con`: the warehouse, None when there is none; `last`: the last pulls by resource.
    """

    owner: str
    con: duckdb.DuckDBPyConnection | None
    clinic: ClinicRef
    day: date
    pace: Pace = Pace()
    store: StateStore | None = None
    count_rows: RowCounter = no_counting
    last: Mapping[str, LastPull] = field(default_factory=dict)

    def line(
        self,
        resource: str,
        endpoint: str,
        requests: int,
        why: str,
        *,
        at_least: bool = False,
        table: str | None = None,
        refused_as: str | None = None,
    ) -> EstimateLine:
        """Makes a line. `refused_as`: the endpoint under which a refusal of today is stored."""
        if requests and refused_as and (refusal := self.refused(refused_as)):
            requests, why, at_least = 0, f"skipped: not available today ({refusal})", False
        server = self.clinic.server
        return EstimateLine(
            owner=self.owner,
            server=server,
            resource=resource,
            table=table or resource,
            endpoint=endpoint,
            requests=requests,
            why=why,
            at_least=at_least,
        )

    def listed(
        self,
        resource: str,
        endpoint: str,
        *,
        table: str | None = None,
        times: int = 1,
        endpoint_name: str | None = None,
    ) -> EstimateLine:
        """Estimates a full list by its pages at the last pull. `times`: the number of filtered forms.

        `endpoint_name`: where it is not the resource's.
        """
        name = endpoint_name or resource
        size = self.size(resource, endpoint_name=name)
        number = times * page_count(size.rows)
        return self.line(resource, endpoint, number, size.why, at_least=not size.is_sure, table=table, refused_as=name)

    def size(self, resource: str, guess: int = 0, guessed_by: str = "", endpoint_name: str | None = None) -> ListSize:
        """Returns the size of a list: from the last pull, else from the server, else from `guess`."""
        last = self.last.get(resource)
        if last and last.outcome == "loaded" and last.total_count is not None:
            return ListSize(rows=last.total_count, why=f"{counted(last.total_count, 'row')} at the last pull")
        name = endpoint_name or resource
        if not self.refused(name) and (rows := self.count_rows(self.clinic, name)) is not None:
            return ListSize(rows=rows, why=f"{counted(rows, 'row')} by the server's count just now")
        if guess:
            return ListSize(rows=guess, why=f"{guess:,} {guessed_by}")
        return ListSize(rows=0, why=NOT_KNOWN, is_sure=False)

    def as_last_time(
        self, resource: str, endpoint: str, first: int, why: str, *, table: str | None = None
    ) -> EstimateLine:
        """Estimates as many requests as at the last pull; `first` before any pull."""
        last = self.last.get(resource)
        if last is None or last.outcome != "loaded":
            return self.line(resource, endpoint, first, why, at_least=True, table=table)
        return self.line(resource, endpoint, last.requests, "as many as at the last pull", table=table)

    def is_loaded(self, resource: str) -> bool:
        last = self.last.get(resource)
        return last is not None and last.outcome == "loaded"

    def refused(self, endpoint: str) -> str | None:
        return self.store.refusals.reason(self.clinic, endpoint, self.day) if self.store else None

    def number(self, sql: str, **others: object) -> int:
        """Returns a count of the warehouse over `$clinic`, `$region` and `others`; 0 without a warehouse."""
        if self.con is None:
            return 0
        values = {"clinic": self.clinic.clinic_id, "region": self.clinic.region, **others}
        row = self.con.execute(sql, {name: values[name] for name in re.findall(r"\$(\w+)", sql)}).fetchone()
        return int(row[0] or 0) if row else 0


def page_count(rows: int) -> int:
    return max(1, ceil(rows / PAGE))


def minutes_at_budget(requests: int, per_5_min: int) -> float:
    """Returns how many minutes these requests take at the request budget."""
    return round(requests * MINUTES_OF_THE_BUDGET / per_5_min, 1)


def requests_by_resource(lines: Iterable[EstimateLine]) -> dict[tuple[str, str], int]:
    """Returns the estimated requests by owner and resource, for `ops.pulls.bill_requests`."""
    planned: dict[tuple[str, str], int] = {}
    for line in lines:
        key = line.owner, line.resource
        planned[key] = planned.get(key, 0) + line.requests
    return planned


def last_pulls(con: duckdb.DuckDBPyConnection | None, column: str, value: str) -> dict[str, LastPull]:
    """Returns the newest row of `ops.pulls` by resource, of a clinic (`clinic_id`) or a region (`region`)."""
    if con is None:
        return {}
    rows = con.execute(
        """SELECT resource, outcome, requests, total_count FROM ops.pulls
        WHERE if($of = 'region', region = $value AND clinic_id IS NULL, clinic_id = $value)
        QUALIFY row_number() OVER (PARTITION BY resource ORDER BY observed_at DESC, finished_at DESC) = 1""",
        {"of": column, "value": value},
    ).fetchall()
    return {
        resource: LastPull(outcome=outcome, requests=requests or 0, total_count=total)
        for resource, outcome, requests, total in rows
    }
