"""What a probe saw of a server: shapes and statistics, as the file `probe-<env>.json` holds them.

No field holds a value that a record had, an id or a name; `answer_shapes` decides what a shape may name. What does not
belong here: what the documentation says about it (`facts.toml`), sending requests (`probe_run`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fullscript_pipeline.errors import UsageError

Outcome = Literal["answered", "refused", "not found", "invalid request", "failed", "not requested"]


class SeenPart(BaseModel):
    """The base of everything in the file: a key that we do not know is an error, so that no other file is replayed."""

    model_config = ConfigDict(extra="forbid")


class SeenKey(SeenPart):
    """A key of the records of an answer.

    `lacking`: records without it. `empty`: records where it is "". `forms`: the kinds of its texts (a time's form has
    0 for each digit). `words`: documented words only; `other_words` counts texts that are none of them.
    """

    types: list[str] = Field(default_factory=list)
    lacking: int = 0
    nulls: int = 0
    empty: int = 0
    forms: list[str] = Field(default_factory=list)
    words: list[str] = Field(default_factory=list)
    other_words: int = 0
    inside: SeenRecords | None = None


class SeenRecords(SeenPart):
    """The shape of some records. `unnamed_keys` counts keys whose name could be a value, so it is left out."""

    count: int = 0
    keys: dict[str, SeenKey] = Field(default_factory=dict)
    unnamed_keys: int = 0


class SeenPaging(SeenPart):
    """How a list pages. None: could not be seen.

    `default_size`: rows where no size was requested, if there were more. `counts_all`: total_count equals the number of
    rows. `keeps_order`: page 2 of a smaller size holds the rows that follow those of page 1.
    """

    meta: list[str] = Field(default_factory=list)
    rows: int = 0
    total_count: int | None = None
    default_size: int | None = None
    honours_size: bool | None = None
    keeps_order: bool | None = None
    counts_all: bool | None = None


class SeenEndpoint(SeenPart):
    """What one endpoint answered. `wrapper`: the key of the records, "" for none; `outer` the key around it, if any.

    `rows_lack`: documented keys that a row of the list lacks and that the same object, fetched by id, fills.
    """

    outcome: Outcome
    status: int | None = None
    reason: str = ""
    wrapper: str | None = None
    outer: str = ""
    records: SeenRecords = Field(default_factory=SeenRecords)
    paging: SeenPaging | None = None
    rows_lack: list[str] | None = None


class SeenFilter(SeenPart):
    """A date filter, by counts of rows. `on`: of one day, `before`: `<` that day, `after`: `>` it, `total`: unfiltered.

    `one_day_range` is of a range from that day to itself. `offsets`: the hours from UTC whose days explain every row.
    """

    total: int | None = None
    on: int | None = None
    before: int | None = None
    after: int | None = None
    one_day_range: int | None = None
    offsets: list[float] | None = None


class SeenFeed(SeenPart):
    """An event feed: the order of its rows, whether `sort_by` is followed, seconds from a change to its event."""

    order: str = ""
    follows_sort_by: bool | None = None
    delay_seconds: float | None = None
    delays: int = 0
    nested: bool | None = None


class SeenTokens(SeenPart):
    """What a renewal of the token showed. None: could not be seen."""

    new_refresh_token: bool | None = None
    owner_has_clinic: bool | None = None
    old_works_before_use: bool | None = None
    old_works_after_use: bool | None = None


class ProbeReport(SeenPart):
    """Everything that a probe saw. `error_bodies`: status -> form of the body."""

    version: Literal[1] = 1
    server: str
    region: str
    requests: int = 0
    scopes: list[str] = Field(default_factory=list)
    clock_skew_seconds: float | None = None
    headers: list[str] = Field(default_factory=list)
    encodings: list[str] = Field(default_factory=list)
    error_bodies: dict[str, str] = Field(default_factory=dict)
    refusals: list[int] = Field(default_factory=list)
    empty_list_pages: int | None = None
    endpoints: dict[str, SeenEndpoint] = Field(default_factory=dict)
    undocumented: dict[str, SeenEndpoint] = Field(default_factory=dict)
    filters: dict[str, SeenFilter] = Field(default_factory=dict)
    feeds: dict[str, SeenFeed] = Field(default_factory=dict)
    tokens: SeenTokens | None = None


def report_path(data_dir: Path, server: str) -> Path:
    """Where the probe of a server leaves its file."""
    return data_dir / f"probe-{server}.json"


def read_report(path: Path) -> ProbeReport:
    """Reads a file that a probe wrote. Raises UsageError for another file."""
    try:
        return ProbeReport.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"The file {path} cannot be read ({error.strerror}).") from None
    except ValidationError:
        raise UsageError(f"The file {path} was not written by `probe`, or by another version: probe again.") from None
