"""Probes one endpoint: its wrapper, the shape of its records, and how a list pages.

A list costs up to three requests (without a size, page 2 of a small size, the last page of 100), an object one. What
does not belong here: which endpoints are probed (`probe_run`), date filters (`date_filters`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from fullscript_pipeline.api.description import object_at
from fullscript_pipeline.ids import is_requestable
from fullscript_pipeline.probe.answer_rows import FoundRows, Row, find_rows, row_ids
from fullscript_pipeline.probe.answer_shapes import documented_keys, is_plain_key, shape_of
from fullscript_pipeline.probe.probe_report import SeenEndpoint, SeenPaging
from fullscript_pipeline.probe.request_exchange import Exchange, ProbeAnswer
from fullscript_pipeline.resources.types import Endpoint

LIST_REQUESTS, NESTED_REQUESTS, DETAIL_REQUESTS = 3, 4, 1
_PARENTS = 2
_SMALL = 3
_LARGEST = 100


class EndpointProbe:
    """Probes endpoints one after the other; keeps the rows of lists in memory, for what is compared later."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.ids = KnownIds()
        self.rows: dict[str, list[Row]] = {}
        # The id that a detail was requested by: its record need not repeat it.
        self.requested: dict[str, str] = {}

    def probe(self, endpoint: Endpoint) -> SeenEndpoint:
        """Everything that is to be seen of an endpoint."""
        paths = self.ids.paths_for(endpoint, _PARENTS)
        if not paths:
            return SeenEndpoint(outcome="not requested", reason="no object of this kind was seen")
        if endpoint.kind == "detail":
            return self._probe_object(endpoint, paths[0])
        for path in paths:
            answer = self._exchange.get(endpoint, path)
            found = find_rows(endpoint, answer.body if answer.outcome == "answered" else None)
            if answer.outcome != "answered" or len(found.rows) > 1:
                break
        self._keep(endpoint, path, found)
        seen = _seen(endpoint, answer, found)
        if answer.outcome == "answered":
            seen.paging = self._probe_paging(endpoint, path, found)
        return seen

    def probe_once(self, endpoint: Endpoint) -> SeenEndpoint:
        """One request to an endpoint that the documentation does not name."""
        answer = self._exchange.get(endpoint)
        return _seen(endpoint, answer, find_rows(endpoint, answer.body if answer.outcome == "answered" else None))

    def _probe_object(self, endpoint: Endpoint, path: Mapping[str, str]) -> SeenEndpoint:
        answer = self._exchange.get(endpoint, path)
        found = find_rows(endpoint, answer.body if answer.outcome == "answered" else None)
        self._keep(endpoint, path, found)
        self.requested[endpoint.name] = path.get("id", "")
        return _seen(endpoint, answer, found)

    def _keep(self, endpoint: Endpoint, path: Mapping[str, str], found: FoundRows) -> None:
        self.ids.collect(endpoint, path, found.rows)
        self.rows[endpoint.name] = found.rows

    def _probe_paging(self, endpoint: Endpoint, path: Mapping[str, str], found: FoundRows) -> SeenPaging:
        total, rows = found.total_count, found.rows
        paging = SeenPaging(
            meta=sorted(key for key in found.meta or () if is_plain_key(key)),
            rows=len(rows),
            total_count=total,
            default_size=len(rows) if total is not None and total > len(rows) else None,
        )
        if (size := min(len(rows) // 2, _SMALL)) > 0:
            page = self._page(endpoint, path, number=2, size=size)
            if page is not None:
                paging.honours_size = len(page) == min(size, len(rows) - size)
                paging.keeps_order = row_ids(page) == row_ids(rows)[size : 2 * size] if paging.honours_size else None
        if total is not None and len(rows) < total:
            last = ceil(total / _LARGEST)
            page = self._page(endpoint, path, number=last, size=_LARGEST)
            paging.counts_all = None if page is None else len(page) == total - _LARGEST * (last - 1)
            if last == 1 and page is not None:
                self.rows[endpoint.name] = page
        elif total is not None:
            paging.counts_all = len(rows) == total
        return paging

    def _page(self, endpoint: Endpoint, path: Mapping[str, str], *, number: int, size: int) -> list[Row] | None:
        answer = self._exchange.get(endpoint, path, {"page[number]": str(number), "page[size]": str(size)})
        if answer.outcome != "answered":
            return None
        page = find_rows(endpoint, answer.body).rows
        self.ids.collect(endpoint, path, page)
        return page


def keys_that_rows_lack(listed: list[Row], full: Row, object_id: str) -> list[str] | None:
    """Documented keys that the list's row of an object lacks, and that the object itself fills; None: no such row."""
    row = next((row for row in listed if str(row.get("id")) == object_id), None)
    if row is None:
        return None
    filled = {key for key, value in full.items() if value not in (None, "", [], {}, False)}
    return sorted(key for key in filled - row.keys() if key in documented_keys())


def _seen(endpoint: Endpoint, answer: ProbeAnswer, found: FoundRows) -> SeenEndpoint:
    return SeenEndpoint(
        outcome=answer.outcome,
        status=answer.status,
        reason=answer.reason,
        wrapper=found.wrapper,
        outer=found.outer,
        records=shape_of(endpoint.name, found.rows),
    )


# Keys under which records hold objects of another name.
_OBJECTS_UNDER = {
    "tests": "lab_test",
    "variants": "variant",
    "variant_ids": "variant",
    "primary_variant": "variant",
    "products": "product",
    "treatment_plans": "treatment_plan",
    "treatment_plan_ids": "treatment_plan",
}
_SINGLE = ("patient", "practitioner", "treatment_plan", "variant", "product", "brand")


class KnownIds:
    """Ids in the order in which they were seen; those that other records refer to come first, since they hold more."""

    def __init__(self) -> None:
        self._listed: dict[str, list[str]] = defaultdict(list)
        self._referred: dict[str, list[str]] = defaultdict(list)
        # The parents of records of nested lists: (object, id) -> the ids of the path.
        self._paths: dict[tuple[str, str], Mapping[str, str]] = {}

    def collect(self, endpoint: Endpoint, path: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Remembers the ids of an answer and those its records refer to."""
        kind = object_at(endpoint.path)
        for row in rows:
            if (row_id := _usable(row.get("id"))) is not None:
                self._listed[kind].append(row_id)
                self._paths.setdefault((kind, row_id), path)
            for key, value in row.items():
                self._refer(key, value)

    def paths_for(self, endpoint: Endpoint, most: int) -> list[dict[str, str]]:
        """Up to `most` sets of ids that fill the path of an endpoint; none if an id of a kind was never seen."""
        names = [part.strip("{}") for part in endpoint.path.split("/") if part.startswith("{")]
        if not names:
            return [{}]
        kind = object_at(endpoint.path) if names[-1] == "id" else names[-1].removesuffix("_id")
        # An object is compared with its row in a list; a parent should have children.
        order = (self._listed, self._referred) if endpoint.kind == "detail" else (self._referred, self._listed)
        ids = list(dict.fromkeys([value for known in order for value in known[kind]]))[:most]
        found = [{**self._paths.get((kind, value), {}), names[-1]: value} for value in ids]
        return [{name: path[name] for name in names} for path in found if set(names) <= path.keys()]

    def _refer(self, key: str, value: Any) -> None:
        kind = _OBJECTS_UNDER.get(key) or (key.removesuffix("_id") if key.endswith("_id") else key)
        if key not in _OBJECTS_UNDER and kind not in _SINGLE:
            return
        for part in value if isinstance(value, list) else [value]:
            held = part.get("id") if isinstance(part, dict) else part
            if (usable := _usable(held)) is not None and (isinstance(part, dict) or key.endswith(("_id", "_ids"))):
                self._referred[kind].append(usable)
            if isinstance(part, dict):
                for inner_key, inner in part.items():
                    self._refer(inner_key, inner)


def _usable(value: Any) -> str | None:
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if is_requestable(text) else None
