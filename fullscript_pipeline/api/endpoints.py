"""The one table of every Fullscript endpoint we may read.

Sources: the vendor's technical reference for paths, filters and restrictions; wrapper keys that it does not show are
the ones public integrations read, or the last segment of the path (docs/fullscript-api/). The first key is the
expected one, the others are accepted as well.

What does not belong here: every write (creating a patient e-mails them, in-office checkout empties a cart), and the two
dynamic-link reads (they return a sign-in link, which is a secret and no data).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from fullscript_pipeline.ids import can_be_asked

_CATALOG = "catalog:read"
_CLINIC = "clinic:read"
_PATIENTS = "patients:read"
_PLANS = "patients:treatment_plan_history"
_ORDERS = "patients:order_history"

_SORTING = ("sort_by", "order_by")
_EVENT_FILTERS = ("created_at", "event_type", *_SORTING)
# `<entity>/{id}` pairs of the catalog that hold an id and a name.
_NAMED_THINGS = {
    "allergens": "allergen",
    "brands": "brand",
    "ingredients": "ingredient",
    "supplement_types": "supplement_type",
    "third_party_certifications": "third_party_certification",
}


@dataclass(frozen=True)
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
            if f"{{{name}}}" not in path or not can_be_asked(value):
                raise ValueError(f"endpoint {self.name} cannot take this {name} in its path {self.path}")
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        if "{" in path:
            raise ValueError(f"endpoint {self.name} needs a value for each placeholder of {self.path}")
        return path

    def check_filters(self, params: Mapping[str, str]) -> None:
        """Raise ValueError for a parameter this endpoint does not have: the server would ignore it silently."""
        if unknown := sorted(set(params) - set(self.filters)):
            raise ValueError(f"endpoint {self.name} has no parameter {', '.join(unknown)}")


def _list(name: str, path: str, scope: str | None, *keys: str, filters: tuple[str, ...] = ()) -> Endpoint:
    return Endpoint(name, path, "list", keys or (path.rsplit("/", 1)[-1],), scope, filters=filters)


def _nested(name: str, path: str, scope: str | None, *keys: str, filters: tuple[str, ...] = ()) -> Endpoint:
    key = keys or (path.rsplit("/", 1)[-1],)
    return Endpoint(name, path, "list", key, scope, paginated=False, filters=filters)


def _detail(name: str, path: str, scope: str | None, *keys: str, filters: tuple[str, ...] = ()) -> Endpoint:
    return Endpoint(name, path, "detail", keys or (name,), scope, paginated=False, filters=filters)


def _restricted(name: str, path: str, *, paginated: bool, filters: tuple[str, ...] = ()) -> Endpoint:
    return Endpoint(name, path, "list", ("products",), _CATALOG, restricted=True, paginated=paginated, filters=filters)


_TABLE = (
    # The clinic and its people
    _detail("clinic", "/clinic", _CLINIC),
    _list("staff", "/clinic/staff", _CLINIC, "staff", "staff_members"),
    _detail("staff_member", "/clinic/staff/{id}", _CLINIC, "staff", "staff_member"),
    _list("practitioners", "/clinic/practitioners", _CLINIC),
    _detail("practitioner", "/clinic/practitioners/{id}", _CLINIC),
    _list("patients", "/clinic/patients", _PATIENTS, filters=("patient_type",)),
    _detail("patient", "/clinic/patients/{id}", _PATIENTS),
    _nested("patient_dependents", "/clinic/patients/{patient_id}/dependents", _PATIENTS, "patients", "dependents"),
    _nested("patient_addresses", "/clinic/patients/{patient_id}/addresses", _PATIENTS),
    _list("search_patients", "/clinic/search/patients", _PATIENTS, "patients", filters=("query", "patient_type")),
    _list("metadata", "/clinic/metadata", _CLINIC, filters=("id", "type")),
    # Plans, orders, labs
    _nested(
        "patient_treatment_plans", "/clinic/patients/{patient_id}/treatment_plans", _PATIENTS,
        "treatment_plans", filters=_SORTING,
    ),
    _detail("treatment_plan", "/clinic/treatment_plans/{id}", _PATIENTS),
    _list(
        "orders", "/clinic/orders", _ORDERS, "orders",
        filters=("patient_id", "treatment_plan_id", "completed_at", "type", "order_number", *_SORTING),
    ),
    _detail("order", "/clinic/orders/{id}", _ORDERS),
    _nested("patient_orders", "/clinic/patients/{patient_id}/orders", _ORDERS),
    _list("lab_orders", "/clinic/labs/orders", _ORDERS, "orders", "lab_orders", filters=("patient_id",)),
    _detail("lab_order", "/clinic/labs/orders/{id}", _ORDERS, "order", "lab_order"),
    _detail("lab_test", "/clinic/labs/tests/{id}", None, "test", "lab_test"),
    # Protocols, templates (deprecated by the vendor), resources
    _list(
        "fullscript_protocols", "/clinic/fullscript_protocols", _CLINIC,
        "protocols", "fullscript_protocols", filters=_SORTING,
    ),
    _nested(
        "practitioner_protocols", "/clinic/practitioners/{practitioner_id}/protocols", _CLINIC,
        "protocols", filters=("current_state", "ownership_type", *_SORTING),
    ),
    _detail("protocol", "/clinic/protocols/{id}", _CLINIC),
    _nested("practitioner_templates", "/clinic/practitioners/{practitioner_id}/templates", _CLINIC),
    _detail("template", "/clinic/templates/{id}", _CLINIC),
    _nested("practitioner_resources", "/clinic/practitioners/{practitioner_id}/resources", _CLINIC),
    _detail("practitioner_resource", "/clinic/practitioners/{practitioner_id}/resources/{id}", _CLINIC, "resource"),
    _list("fullscript_resources", "/clinic/fullscript_resources", _CLINIC, "resources", "fullscript_resources"),
    # The catalog. Categories are the unrestricted side door to products.
    _restricted("products", "/catalog/products", paginated=True),
    _restricted("similar_products", "/catalog/products/{product_id}/similar", paginated=False),
    _restricted(
        "search_products", "/catalog/search/products", paginated=True,
        filters=(
            "query", "brand_id", "allergen_ids[]", "ingredient_ids[]", "supplement_type_ids[]",
            "third_party_certification_ids[]",
        ),
    ),
    _detail("product", "/catalog/products/{id}", _CATALOG, filters=("practitioner_id",)),
    _detail("variant", "/catalog/variants/{id}", _CATALOG),
    _list("categories", "/clinic/categories", None),
    _detail("category", "/clinic/categories/{id}", None),
    _nested("category_products", "/clinic/categories/{category_id}/products", _CATALOG, filters=_SORTING),
    _list("practitioner_types", "/catalog/practitioner_types", _CATALOG),
    *(
        _list(
            plural, f"/catalog/{plural}", _CATALOG,
            filters=("available", "clinic_permitted") if plural == "brands" else (),
        )
        for plural in _NAMED_THINGS
    ),
    *(_detail(single, f"/catalog/{plural}/{{id}}", _CATALOG) for plural, single in _NAMED_THINGS.items()),
    # Events (30 days) and webhook deliveries
    _list("patient_events", "/events/patients", _PATIENTS, "events", filters=_EVENT_FILTERS),
    _list("treatment_plan_events", "/events/treatment_plans", _PLANS, "events", filters=_EVENT_FILTERS),
    _list("order_events", "/events/orders", _ORDERS, "events", filters=_EVENT_FILTERS),
    _list("lab_order_events", "/events/lab_orders", _ORDERS, "events", filters=("created_at", *_SORTING)),
    _list("product_events", "/events/products", _CATALOG, "events", filters=_EVENT_FILTERS),
    _list("clinic_key_events", "/events/clinic_keys", None, "events", filters=_EVENT_FILTERS),
    _detail("event", "/events/{id}", None, "event"),
    _list(
        "webhook_deliveries", "/webhooks/deliveries", None,
        "webhook_deliveries", "deliveries",
        filters=("attempted_at", "event_id", "successfully_delivered", *_SORTING),
    ),
)  # fmt: skip

ENDPOINTS: dict[str, Endpoint] = {endpoint.name: endpoint for endpoint in _TABLE}


def endpoint_named(name: str) -> Endpoint:
    """The row of the table. Raises ValueError for a name that is not in it."""
    if name not in ENDPOINTS:
        raise ValueError(f"there is no endpoint {name!r} in fullscript_pipeline.api.endpoints")
    return ENDPOINTS[name]
