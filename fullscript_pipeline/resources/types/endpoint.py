"""What is known of a GET of the Fullscript API: path, wrapper keys of the answer, scope, filters.

What does not belong here: the endpoints themselves (the modules of `resources`), sending a request (`api`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from fullscript_pipeline.ids import is_requestable

SORTING = ("sort_by", "order_by")
EVENT_FILTERS = ("created_at", "event_type", *SORTING)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One GET. `path` is under the API base; `scope` is what the token needs (None: not documented).

    `restricted`: the vendor grants it to few apps, a 403 is the normal answer. `paginated` is False for nested lists,
    where a `meta` is not promised. `filters` are the query parameters it knows, paging aside.
    """

    name: str
    path: str
    kind: Literal["list", "detail"]
    wrapper_keys: tuple[str, ...]
    scope: str | None
    restricted: bool = False
    paginated: bool = True
    filters: tuple[str, ...] = ()

    def shown_path(self, values: Mapping[str, str]) -> str:
        """The path as errors and runs may show it: an id of a clinic's object is a person's, or leads to one."""
        return self.url_path(values) if self.path.startswith("/catalog/") else self.path

    def url_path(self, values: Mapping[str, str]) -> str:
        """The path with its placeholders filled and percent-encoded. Raises ValueError for a missing one, and for an id
        that cannot be asked for: it would be another endpoint's address."""
        path = self.path
        for name, value in values.items():
            if f"{{{name}}}" not in path or not is_requestable(value):
                raise ValueError(f"endpoint {self.name} cannot take this {name} in its path {self.path}")
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        if "{" in path:
            raise ValueError(f"endpoint {self.name} needs a value for each placeholder of {self.path}")
        return path

    def check_filters(self, params: Mapping[str, str]) -> None:
        """Raise ValueError for a parameter this endpoint does not have: the server would ignore it silently."""
        if unknown := sorted(set(params) - set(self.filters)):
            raise ValueError(f"endpoint {self.name} has no parameter {', '.join(unknown)}")


def list_of(
    name: str, path: str, scope: str | None, *keys: str, restricted: bool = False, filters: tuple[str, ...] = ()
) -> Endpoint:
    """A paginated list. `keys`: its wrapper keys, the expected one first; by default the last part of the path."""
    key = keys or (path.rsplit("/", 1)[-1],)
    return Endpoint(
        name=name, path=path, kind="list", wrapper_keys=key, scope=scope, restricted=restricted, filters=filters
    )


def nested_list(
    name: str, path: str, scope: str | None, *keys: str, restricted: bool = False, filters: tuple[str, ...] = ()
) -> Endpoint:
    """A list of one parent's objects, which need not be paginated."""
    key = keys or (path.rsplit("/", 1)[-1],)
    return Endpoint(
        name=name,
        path=path,
        kind="list",
        wrapper_keys=key,
        scope=scope,
        restricted=restricted,
        paginated=False,
        filters=filters,
    )


def detail(name: str, path: str, scope: str | None, *keys: str, filters: tuple[str, ...] = ()) -> Endpoint:
    """One object by its id."""
    return Endpoint(
        name=name, path=path, kind="detail", wrapper_keys=keys or (name,), scope=scope, paginated=False, filters=filters
    )
