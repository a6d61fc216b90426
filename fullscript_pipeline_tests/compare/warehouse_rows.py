"""Reads a sandbox's API over plain HTTP, page by page, as somebody would who has never seen the pipeline.

Only answers in the documented shape are understood: quirks are switched off for the reading. What does not belong here:
what a row should look like (`clinic_rows`, `region_rows`).
"""

from collections.abc import Iterator
from typing import Any

import httpx

Record = dict[str, Any]


class Api:
    """One clinic's API."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def one(self, path: str) -> Record | None:
        """The object of a detail; None for a 404."""
        answer = self.client.get(path)
        if answer.status_code == 404:
            return None
        body = answer.raise_for_status().json()
        (record,) = body.values()
        return dict(record)

    def rows(self, path: str, **params: str) -> list[Record]:
        """Every row of a list."""
        return list(self._rows(path, params))

    def may(self, path: str) -> bool:
        """Whether this clinic's app may read it."""
        return self.client.get(path).status_code not in {403, 404}

    def _rows(self, path: str, params: dict[str, str]) -> Iterator[Record]:
        number: int | None = 1
        while number is not None:
            answer = self.client.get(path, params={**params, "page[number]": str(number), "page[size]": "100"})
            body = answer.raise_for_status().json()
            meta = body.pop("meta", {})
            (rows,) = body.values()
            yield from rows
            number = meta.get("next_page")
