"""Values of a pull: its target, its loads and its report; and work on many ids in parallel.

What does not belong here: fetching, landing and storing (`pull`).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TypeVar

import duckdb

from fullscript_pipeline.api import ClinicRef, iter_completed
from fullscript_pipeline.extraction.engine.shared_claim import SharedPulls
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse import Line, Warehouse
from fullscript_pipeline.warehouse.loading import Among, Context, Counts

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Target:
    """The partition of a pull, a clinic's or a region's day, and the stores that it writes to."""

    warehouse: Warehouse
    landing_dir: Path
    encryption_key: str | None
    server: str
    region: str
    day: date
    run_id: str
    clinic: ClinicRef | None = None
    # Where several machines pull; otherwise landed pages are in `landing_dir`.
    shared: SharedPulls | None = None
    # Estimated requests by owner and resource (`request_estimate.requests_by_resource`).
    request_estimate: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return self.clinic.clinic_key if self.clinic else self.region

    @property
    def place(self) -> str:
        """Where the landed pages of this partition are, below all that is landed."""
        return f"{self.server}/{self.owner}/{self.day.isoformat()}"

    @property
    def folder(self) -> Path:
        """The folder for the landed pages of this partition."""
        return self.landing_dir / self.place


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a commit stores in one table.

    `missing_among`, `listed`: as in `warehouse.loading.load`. `gone`: ids that neither their detail nor the list that
    should hold them shows (`absence`). `of_no_clinic`: the vendor ties the rows to no clinic. `unread`, `refused`,
    `covers_events`, `answers`: as in `warehouse.event_log.event_proof.Proof`. `after` runs in the same transaction.
    """

    table: Table
    lines: Callable[[], Iterator[Line]]
    missing_among: Among | None = None
    gone: Sequence[str] = ()
    listed: Collection[str] | None = None
    of_no_clinic: bool = False
    unread: Collection[str] = ()
    refused: Collection[str] = ()
    covers_events: bool = False
    answers: Collection[str] = ()
    after: Callable[[duckdb.DuckDBPyConnection], None] | None = None

    def scoped(self, context: Context) -> Context:
        return replace(context, clinic_id=None) if self.of_no_clinic else context


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a pull of one resource; assets show it as metadata."""

    resource: str
    outcome: str
    reason: str | None = None
    counts: Mapping[str, Counts] = field(default_factory=dict)
    requests: int = 0
    pages: int = 0
    retries: int = 0
    total_count: int | None = None
    seconds: float = 0.0
    estimated_requests: int | None = None


def in_parallel(work: Callable[[str], T], ids: Iterable[str]) -> list[T]:
    """Returns `work(id)` of each id, a few at a time. Raises the first error; work that has not begun is dropped."""
    numbered = list(enumerate(ids))
    done = {place: result for (place, _), result in iter_completed(lambda pair: work(pair[1]), numbered)}
    return [done[place] for place, _ in numbered]
