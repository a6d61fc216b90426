"""Counts what was asked of the sandbox. What does not belong here: answering it."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ID = re.compile(r"/[^/]*\d[^/]*")


class Counted(NamedTuple):
    """What requests are counted by."""

    server: str
    method: str
    endpoint: str
    status: int


def template_of(path: str) -> str:
    """A path with everything that looks like an id taken out, for paths no endpoint is known for."""
    return ID.sub("/{id}", path)


@dataclass
class Ledger:
    """Requests since the last reset; `asked` counts whole URLs by token and by the day of the world's clock."""

    counts: Counter[Counted] = field(default_factory=Counter)
    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def note(self, counted: Counted, *, token: str = "", day: str = "", url: str = "") -> None:
        """Counts one request; `url` is given for reads only."""
        self.counts[counted] += 1
        if url:
            self.asked[token, day, url] += 1

    def reset(self) -> None:
        """Starts counting afresh."""
        self.counts.clear()
        self.asked.clear()

    def summary(self) -> dict[str, Any]:
        """Counts per server, method, endpoint and status; and how many URLs one token asked for more than once.

        `repeated_urls` counts since the reset; `repeated_urls_same_day` only those repeated while the clock stood
        still: the same page after the world has moved is another question.
        """
        ever: Counter[tuple[str, str]] = Counter()
        for (token, _, url), times in self.asked.items():
            ever[token, url] += times
        same_day = [url for (_, _, url), times in self.asked.items() if times > 1]
        return {
            "total": self.counts.total(),
            "writes_refused": sum(
                times
                for counted, times in self.counts.items()
                if counted.method not in {"GET", "HEAD"} and not counted.endpoint.startswith("/oauth/")
            ),
            "repeated_urls": sum(times > 1 for times in ever.values()),
            "repeated_urls_same_day": len(same_day),
            "repeated_examples": sorted({template_of(url.partition("?")[0]) for url in same_day})[:20],
            "counts": [{**counted._asdict(), "count": times} for counted, times in sorted(self.counts.items())],
        }
