"""Counts the requests to the sandbox. What does not belong here: answering them."""

import re
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

READS = frozenset({"GET", "HEAD"})
ID = re.compile(r"/[^/]*\d[^/]*")


class RequestKind(NamedTuple):
    """The properties by which requests are counted."""

    server: str
    method: str
    endpoint: str
    status: int

    @property
    def is_api_call(self) -> bool:
        """Whether the request went to the API, not to the OAuth endpoints."""
        return not self.endpoint.startswith("/oauth/")


def template_of(path: str) -> str:
    """A path with `{id}` for everything that looks like an id; for paths of no known endpoint."""
    return ID.sub("/{id}", path)


@dataclass(kw_only=True)
class RequestLedger:
    """Requests since the last reset; `url_counts` counts whole URLs by token and by the day of the world's clock."""

    counts: Counter[RequestKind] = field(default_factory=Counter)
    url_counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    arrivals: "defaultdict[str, array[float]]" = field(default_factory=lambda: defaultdict(lambda: array("d")))

    def record_arrival(self, server: str) -> None:
        """Records the moment of a request of an app, whatever the answer."""
        self.arrivals[server].append(monotonic())

    def max_in_window(self, seconds: float) -> dict[str, int]:
        """The most requests of each app in any window of that length, counted from nothing but the arrivals."""
        most: dict[str, int] = {}
        for server, moments in self.arrivals.items():
            first = best = 0
            for last, moment in enumerate(moments):
                while moments[first] <= moment - seconds:
                    first += 1
                best = max(best, last - first + 1)
            most[server] = best
        return most

    def count_request(self, counted: RequestKind, *, token: str = "", day: str = "", url: str = "") -> None:
        """Counts one request; `url` is given for reads only."""
        self.counts[counted] += 1
        if url:
            self.url_counts[token, day, url] += 1

    def reset(self) -> None:
        """Starts counting afresh."""
        self.counts.clear()
        self.url_counts.clear()
        self.arrivals.clear()

    def summary(self, window: float) -> dict[str, Any]:
        """Counts per server, method, endpoint and status; and how many URLs one token requested more than once.

        `repeated_urls` counts since the reset; `repeated_urls_same_day` only those repeated while the clock stood
        still: the same page after the world has moved is another question. `max_in_window`: the most requests of each
        app in any `window` seconds.
        """
        ever: Counter[tuple[str, str]] = Counter()
        for (token, _, url), times in self.url_counts.items():
            ever[token, url] += times
        writes = [(kind, times) for kind, times in self.counts.items() if kind.method not in READS and kind.is_api_call]
        same_day = [url for (_, _, url), times in self.url_counts.items() if times > 1]
        return {
            "total": self.counts.total(),
            "max_in_window": self.max_in_window(window),
            "window_seconds": window,
            "writes": sum(times for _, times in writes),
            "writes_refused": sum(times for kind, times in writes if kind.status >= 400),
            "repeated_urls": sum(times > 1 for times in ever.values()),
            "repeated_urls_same_day": len(same_day),
            "repeated_examples": sorted({template_of(url.partition("?")[0]) for url in same_day})[:20],
            "counts": [{**counted._asdict(), "count": times} for counted, times in sorted(self.counts.items())],
        }
