"""What is known of one resource: what it is read from, which tables it fills, how often, for whom, at what cost.

A `Resource` is data. Dagster assets, DDL, endpoints, the request estimate, event families, copies for analysts and
tables of the docs are derived from it. What does not belong here: a resource itself (the modules of `resources`), how
it is pulled (`extraction`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.resources.types.endpoint import Endpoint
from fullscript_pipeline.resources.types.table import Scope, Table, family

DAILY = "Daily, the present only"
ON_REQUEST = "Only with FULLSCRIPT_EXTRAS"

Listing = Literal["whole list", "own pull"]


@dataclass(frozen=True, kw_only=True)
class RequestEstimate:
    """How many requests a pull of the resource needs.

    `rule`: "whole list": its pages at the last pull, for each of the `forms` in which it is listed; "once": always one;
    "as last time": as many as the last pull, and at first one for each `first_each`, plus `first_besides`;
    "computed": a function of `extraction.request_estimate` says.
    `shown_as`: the requests as the estimate prints them; `why` explains the first number and may name `{each}`.
    """

    rule: Literal["whole list", "once", "as last time", "computed"]
    shown_as: str = ""
    forms: int = 1
    first_each: (
        Literal["patient", "practitioner", "product", "query", "catalog value", "recommended product"] | None
    ) = None
    first_besides: int = 0
    why: str = ""


WHOLE_LIST = RequestEstimate(rule="whole list")
COMPUTED = RequestEstimate(rule="computed")


@dataclass(frozen=True, kw_only=True)
class EventFamily:
    """The events about the objects of a resource.

    `prefix`: how their types begin; `name`: of the family in a refresh (None: there is nothing to read again);
    `feed`: the endpoint that lists them; `object_names`: the keys under which event data may hold the object;
    `table`: where the objects are stored.
    """

    prefix: str
    name: str | None
    feed: Endpoint
    object_names: tuple[str, ...]
    table: str


@dataclass(frozen=True, kw_only=True)
class RequestRule:
    """Which requests a pull sends, how many, and why: a row of the table in docs/requests.md."""

    requests: str
    number: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """All that is known of one resource.

    `name`: as in `ops.pulls`; it is the endpoint's name too where `listing` is "whole list".
    `texts`: what each table of `core` holds, as the UI shows it; beside those of `tables` it may name tables that the
    pull fills with notes of its own.
    `tables`: what its records fill; children follow their parents.
    `endpoints`: all that reads it, the main one first; `source` and `scope`: how the UI shows them where that differs.
    `partition`: what a pull of it is of, a clinic's day or a region's.
    `listing`: "whole list": the list is read to its end, and what it lacks is gone; no code is needed. "own pull": a
    function of `extraction.pulls`.
    `made_from`: for a table of it, the tables of `core` whose ids it is read by or whose rows it is made from.
    `child_cadence`: how often its child tables are read, where that differs.
    `has_past_days`: a range of past days can be pulled, too.
    `option`: the word in FULLSCRIPT_EXTRAS without which it is not read.
    """

    name: str
    texts: Mapping[str, str]
    group: Literal["clinical", "commerce", "labs", "catalog", "events"]
    contains_phi: bool
    tables: tuple[Table, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    source: str = ""
    scope: str = ""
    partition: Scope = "clinic"
    listing: Listing = "own pull"
    cadence: str = DAILY
    child_cadence: str = ""
    made_from: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    estimate: RequestEstimate = COMPUTED
    request_rules: tuple[RequestRule, ...] = ()
    events: EventFamily | None = None
    regions: tuple[str, ...] = field(default=tuple(REGIONS))
    has_past_days: bool = False
    option: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a description that cannot be."""
        if missing := [table.name for table in self.all_tables if table.name not in self.texts]:
            raise ValueError(f"the resource {self.name} has no text for {', '.join(missing)}")
        if self.listing == "whole list" and not (len(self.tables) == 1 and self.endpoints[0].name == self.name):
            raise ValueError(f"the resource {self.name} is no whole list: one table, and an endpoint of its name")

    @property
    def all_tables(self) -> tuple[Table, ...]:
        return family(*self.tables)

    @property
    def table_names(self) -> tuple[str, ...]:
        """The tables of `core` that a pull of it fills."""
        return tuple(self.texts)

    @property
    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """Its endpoints and the feed of its events."""
        return (*self.endpoints, *((self.events.feed,) if self.events else ()))

    @property
    def shown_source(self) -> str:
        return self.source or f"GET {self.endpoints[0].path}"

    @property
    def shown_scope(self) -> str:
        return self.scope or self.endpoints[0].scope or "not documented"

    def cadence_of(self, table: str) -> str:
        """How often a table is read."""
        is_child = table not in {parent.name for parent in self.tables}
        return self.child_cadence if is_child and self.child_cadence else self.cadence
