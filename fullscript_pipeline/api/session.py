"""A session of one clinic: its token, its server, the shared budget and the retry rule. It can only read.

No method writes to Fullscript. What does not belong here: where tokens are stored (`tokens`, `state`), how often a
request is retried (`retry`), what a record means (`warehouse`).
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from fullscript_pipeline import clock
from fullscript_pipeline.api.clinic_identity import ClinicRef, Grant
from fullscript_pipeline.api.endpoints import endpoint_named
from fullscript_pipeline.api.errors import FullscriptError, RateLimited, RequestSummary
from fullscript_pipeline.api.http import HttpClient, HttpRequest, HttpResponse
from fullscript_pipeline.api.pagination import FetchedPage, iter_pages, iter_pages_in_parallel
from fullscript_pipeline.api.purged_record_filter import (
    PurgedIdsSource,
    drop_purged_mentions,
    drop_purged_records,
    refuse_purged_ids,
)
from fullscript_pipeline.api.rate_limit import Budget, Priority
from fullscript_pipeline.api.response_parsing import (
    PAGE_SIZE,
    Page,
    SingleRecord,
    check_page_number,
    parse_list,
    parse_meta,
    parse_object,
)
from fullscript_pipeline.api.retry import RetryPolicy
from fullscript_pipeline.api.server_clock import ServerClock
from fullscript_pipeline.api.thread_pool import IN_FLIGHT
from fullscript_pipeline.api.token_access import TokenAccess, TokenSource
from fullscript_pipeline.resources.types import Endpoint

T = TypeVar("T")
_NOTHING: Mapping[str, str] = {}
Viewer = tuple[str | None, frozenset[str]]
_log = logging.getLogger(__name__)


class ClinicSession:
    """Reads one clinic's data; thread-safe. Close it, or use it in a `with`.

    `user_id` and `scopes` are of the grant that the session opened with; `viewers` is what responses depend on.
    `assumed`: the switches of its server (`assumptions`).
    `requests` counts the sent requests by endpoint name, `retries` counts how many of them were retries.
    """

    def __init__(
        self,
        clinic: ClinicRef,
        api_url: str,
        *,
        client: HttpClient,
        tokens: TokenSource,
        budget: Budget,
        priority: Priority = "present",
        retry: RetryPolicy | None = None,
        user_id: str | None = None,
        scopes: Collection[str] = (),
        purged_ids: PurgedIdsSource = lambda: None,
        assumed: Collection[str] = (),
    ) -> None:
        self.clinic, self.assumed = clinic, frozenset(assumed)
        # Called for every response, since a person may be purged during the session.
        self._purged_ids = purged_ids
        self.user_id = user_id
        self._scopes = scopes
        self._viewers: frozenset[Viewer] = frozenset()
        self.requests: Counter[str] = Counter()
        self.retries = 0
        self._api_url, self._client, self._budget = api_url, client, budget
        self._access = TokenAccess(tokens, self._smallest, scopes)
        self._priority, self._retry = priority, retry or RetryPolicy()
        self.server_clock = ServerClock(clinic.server, self._fetch_server_time)
        self._lock = threading.Lock()
        # Pages and the children of pages are fetched in parallel: this bounds them together.
        self._in_flight = threading.BoundedSemaphore(IN_FLIGHT)
        # Endpoints that ignore page numbers, as this session has found out.
        self._unpaged: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def viewers(self) -> frozenset[Viewer]:
        """The users whose tokens were used so far, each with the scopes: they decide which rows are visible.

        Usually one pair; more if a renewal brought another grant. An id that the server does not name is None.
        """
        return self._viewers or frozenset([(self.user_id or None, frozenset(self._scopes))])

    def use_grant(self, grant: Grant) -> None:
        """Records that requests carry the token of this grant from now on."""
        self._viewers |= {(grant.user_id or None, frozenset(grant.scopes))}

    def close(self) -> None:
        """Closes the connections; the session cannot be used afterwards."""
        self._client.close()

    def pages(
        self,
        endpoint_name: str,
        path: Mapping[str, str] = _NOTHING,
        params: Mapping[str, str] = _NOTHING,
        first_page: int = 1,
        *,
        page_size: int = PAGE_SIZE,
        total_pages: int | None = None,
        landed: Collection[int] = (),
    ) -> Iterator[Page]:
        """Yields the pages of a list endpoint from `first_page` on, at least one; `is_last` marks the end of the list.

        If a response states the number of pages, up to 8 are fetched in parallel and arrive in any order; the next one
        is fetched after the caller has processed one. `total_pages` resumes a listing: pages 1 to `total_pages` except
        those `landed`. `page_size` is a request (at most 100) that a server may ignore; page numbers count pages of
        that size. Raises, while iterating, errors of `api.errors` or NeedsConnect, and ValueError for a path or
        parameter that the endpoint does not have.
        """
        endpoint = endpoint_named(endpoint_name)
        refuse_purged_ids({**path, **params}, self._purged_ids(), partial(self._request_without_ids, endpoint))

        def fetch(number: int) -> FetchedPage:
            return self._page(endpoint, path, params, number=number, size=page_size)

        def ignores_numbers(is_unpaged: bool) -> bool:
            if is_unpaged:
                self._unpaged.add(endpoint.name)
            return endpoint.name in self._unpaged

        if total_pages is None:
            pages = iter_pages(fetch, first_page, ignores_numbers)
        else:
            pages = iter_pages_in_parallel(fetch, total_pages, landed)
        return (drop_purged_records(page, endpoint, self._purged_ids()) for page in pages)

    def fetch_object(
        self, endpoint_name: str, path: Mapping[str, str] = _NOTHING, params: Mapping[str, str] = _NOTHING
    ) -> SingleRecord:
        """Fetches the object of a detail endpoint.

        Raises as `pages` does; NotFound if the clinic has no such object.
        """
        endpoint = endpoint_named(endpoint_name)
        refuse_purged_ids({**path, **params}, self._purged_ids(), partial(self._request_without_ids, endpoint))

        def read(answer: HttpResponse) -> SingleRecord:
            request, body = answer.request_summary(), answer.json()
            record, unexpected = parse_object(endpoint, body, request, path.get("id"))
            record = drop_purged_mentions(
                record, endpoint, self._purged_ids(), partial(self._request_without_ids, endpoint)
            )
            return SingleRecord(
                record=record, request_id=answer.request_id, fetched_at=clock.now(), unexpected_wrapper=unexpected
            )

        return self._get(endpoint, path, params, read)

    def fetch_response(
        self, endpoint: Endpoint, path: Mapping[str, str] = _NOTHING, params: Mapping[str, str] = _NOTHING
    ) -> HttpResponse:
        """Fetches the 2xx answer of any endpoint as it is, for a probe of the server; `params` may hold paging.

        Raises errors of `api.errors` or NeedsConnect; PurgedObjectError for an id of a purged person.
        """
        refuse_purged_ids({**path, **params}, self._purged_ids(), partial(self._request_without_ids, endpoint))
        request = self._request(endpoint, path, params)

        def attempt() -> HttpResponse:
            return self._access.answer(request, endpoint, self._send, lambda: self._budget.acquire(self._priority))

        return self._retry.run(attempt, self._before_retry)

    def _page(
        self, endpoint: Endpoint, path: Mapping[str, str], params: Mapping[str, str], number: int, size: int
    ) -> FetchedPage:
        def read(answer: HttpResponse) -> FetchedPage:
            request, body = answer.request_summary(), answer.json()
            key, records, unexpected = parse_list(endpoint, body, request)
            meta = parse_meta(body)
            check_page_number(number, meta, request)
            return FetchedPage(
                number=number,
                records=records,
                meta=meta,
                wrapper_key=key,
                unexpected=unexpected,
                request_summary=request,
                fetched_at=clock.now(),
            )

        return self._get(endpoint, path, params, read, paging=_paging_params(number, size))

    def _get(
        self,
        endpoint: Endpoint,
        path: Mapping[str, str],
        params: Mapping[str, str],
        read: Callable[[HttpResponse], T],
        paging: Mapping[str, str] = _NOTHING,
    ) -> T:
        """Sends a GET with token, budget and retries; a response that `read` cannot parse is requested again."""
        if endpoint.kind == "list" and not paging:
            raise ValueError(f"endpoint {endpoint.name} is a list: use pages()")
        request = self._request(endpoint, path, {**params, **paging})
        endpoint.check_filters(params)

        def attempt() -> T:
            return read(
                self._access.answer(request, endpoint, self._send, lambda: self._budget.acquire(self._priority))
            )

        return self._retry.run(attempt, self._before_retry)

    def _request(self, endpoint: Endpoint, path: Mapping[str, str], params: Mapping[str, str]) -> HttpRequest:
        shown, url = (self._api_url + path_text for path_text in (endpoint.shown_path(path), endpoint.url_path(path)))
        return HttpRequest(
            endpoint=endpoint.name,
            server=self.clinic.server,
            url=url,
            clinic=self.clinic.clinic_key,
            params=params,
            shown_url=shown,
        )

    def _request_without_ids(self, endpoint: Endpoint) -> RequestSummary:
        """Describes a request for a message that must not hold its ids."""
        return RequestSummary(
            endpoint=endpoint.name,
            server=self.clinic.server,
            method="GET",
            url=endpoint.path,
            clinic=self.clinic.clinic_key,
        )

    def _smallest(self, endpoint: Endpoint) -> HttpRequest:
        return self._request(endpoint, {}, _paging_params(1, 1) if endpoint.kind == "list" else {})

    def _send(self, request: HttpRequest, token: str) -> HttpResponse:
        with self._lock:
            self.requests[request.endpoint] += 1
        with self._in_flight:
            answer = self._client.send(request.with_bearer(token))
        _log.debug("%s: status %d, X-Request-Id %s", request.endpoint, answer.status, answer.request_id)
        self.server_clock.check_response(answer)
        return answer

    def _fetch_server_time(self) -> HttpResponse:
        """Fetches any response, without a token, for its Date."""
        self._budget.acquire(self._priority)
        return self._client.send(
            HttpRequest(
                endpoint="clinic",
                server=self.clinic.server,
                url=f"{self._api_url}/clinic",
                clinic=self.clinic.clinic_key,
            )
        )

    def _before_retry(self, error: FullscriptError, wait: float) -> None:
        with self._lock:
            self.retries += 1
        if isinstance(error, RateLimited):
            self._budget.pause_requests(wait)


def _paging_params(number: int, size: int) -> dict[str, str]:
    return {"page[number]": str(number), "page[size]": str(size)}
