"""Which requests a probe sends with a token's scopes, and how many they are at most.

What does not belong here: sending them (`probe_run`).
"""

import tomllib
from collections.abc import Collection, Sequence
from importlib.resources import files

from fullscript_pipeline.api import ENDPOINTS
from fullscript_pipeline.probe.date_filters import FILTER_REQUESTS, filter_of
from fullscript_pipeline.probe.endpoint_probes import DETAIL_REQUESTS, LIST_REQUESTS, NESTED_REQUESTS
from fullscript_pipeline.probe.event_feeds import FEED_REQUESTS, feed_endpoints
from fullscript_pipeline.probe.request_exchange import REQUEST_LIMIT
from fullscript_pipeline.resources.types import Endpoint, list_of

_ERROR_REQUESTS = 4
# Feeds whose date filter is probed; the others have the same.
_FILTERED_FEEDS = 2


def allowed_endpoints(scopes: Collection[str]) -> list[Endpoint]:
    """The endpoints that a token with these scopes may read, lists of everything first, objects last."""
    known = {scope.lower() for scope in scopes}
    allowed = [
        endpoint for endpoint in ENDPOINTS.values() if endpoint.scope is None or not known or endpoint.scope in known
    ]
    return sorted(allowed, key=lambda endpoint: (endpoint.kind == "detail", endpoint.path.count("{")))


def estimate_requests(scopes: Collection[str], undocumented: Sequence[Endpoint] = ()) -> int:
    """The most requests that a probe sends with these scopes, renewals of a token aside."""
    endpoints = allowed_endpoints(scopes)
    costs = [
        DETAIL_REQUESTS if endpoint.kind == "detail" else NESTED_REQUESTS if "{" in endpoint.path else LIST_REQUESTS
        for endpoint in endpoints
    ]
    feeds = [feed for feed in feed_endpoints() if feed in endpoints]
    more = len(filtered_lists(endpoints)) * FILTER_REQUESTS + len(feeds) * FEED_REQUESTS + _ERROR_REQUESTS
    return min(sum(costs) + more + len(undocumented), REQUEST_LIMIT)


def filtered_lists(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """The lists whose date filter is probed."""
    feeds = [endpoint for endpoint in endpoints if endpoint in feed_endpoints()][:_FILTERED_FEEDS]
    others = [endpoint for endpoint in endpoints if filter_of(endpoint) and endpoint not in feed_endpoints()]
    return others + feeds


def undocumented_endpoints() -> list[Endpoint]:
    """The endpoints of `undocumented.toml`, each as a list without filters; nothing is known of their answers."""
    table = tomllib.loads(files(__package__).joinpath("undocumented.toml").read_text(encoding="utf-8"))
    return [list_of(f"undocumented_{name}", path, None) for name, path in table.items()]
