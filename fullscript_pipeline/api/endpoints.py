"""Every Fullscript endpoint that we may read, by name: those of all resources (`resources`).

Sources: the vendor's technical reference for paths, filters and restrictions; wrapper keys that it does not show are
the ones public integrations read, or the last segment of the path (docs/fullscript-api/). The first key is the
expected one, the others are accepted as well.

What does not belong here: an endpoint (it is part of its resource); every write (creating a patient e-mails them,
in-office checkout empties a cart); the two dynamic-link reads (they answer a sign-in link: a secret, and no data).
"""

from fullscript_pipeline.resources import ALL_ENDPOINTS
from fullscript_pipeline.resources.types import Endpoint

ENDPOINTS: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in ALL_ENDPOINTS}


def endpoint_named(name: str) -> Endpoint:
    """The endpoint with this name. Raises ValueError for a name that no resource has."""
    if name not in ENDPOINTS:
        raise ValueError(f"there is no endpoint {name!r} in fullscript_pipeline.resources")
    return ENDPOINTS[name]
