"""The table of everything the API answers to a GET: path, scopes, what answers it, arguments, whether restricted.

Paths and arguments are the technical reference's; wrapper keys follow the last path segment where the reference shows
none. What does not belong here: how an answer is made (`clinic` and its siblings) or sent (`routes`), and the few
writes (`write_endpoints`).
"""

from dataclasses import dataclass
from functools import cached_property

from fullscript_pipeline.sandbox.responses import catalog, events, patients
from fullscript_pipeline.sandbox.responses import clinic as answers
from fullscript_pipeline.sandbox.responses.clinic import (
    CATALOG,
    CLINIC,
    ORDERS,
    PATIENTS,
    PLANS,
    Answer,
    every,
    one,
    term,
    terms,
)

SORT = ("sort_by", "order_by")
EVENT_ARGUMENTS = ("created_at", "event_type", *SORT)
ORDER_ARGUMENTS = ("patient_id", "treatment_plan_id", "completed_at", "type", "order_number", *SORT)
SEARCH_ARGUMENTS = ("query", "brand_id", *(f"{name}[]" for name in catalog.ID_LISTS))
PLAN_SCOPES = f"{PATIENTS} {PLANS}"


@dataclass(frozen=True)
class Endpoint:
    """A GET endpoint; `{name}` in its path stands for an id.

    `scope`: any one of these words lets a token in (none: every token). `arguments`: what it reads, paging aside.
    """

    path: str
    scope: str
    answer: Answer
    arguments: tuple[str, ...] = ()
    restricted: bool = False

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path, cut at its slashes."""
        return tuple(self.path.strip("/").split("/"))

    @cached_property
    def scopes(self) -> frozenset[str]:
        """The scopes, any of which will do."""
        return frozenset(self.scope.split())

    @cached_property
    def nested(self) -> bool:
        """Whether it lists something of one object: such lists are not promised a `meta`."""
        return "{" in self.path and not self.path.endswith("}")


PEOPLE = (
    Endpoint("/clinic", CLINIC, answers.clinic),
    Endpoint("/clinic/staff", CLINIC, every("staff", lambda clinic: clinic.staff)),
    Endpoint("/clinic/staff/{id}", CLINIC, one("staff", lambda clinic: clinic.staff)),
    Endpoint("/clinic/practitioners", CLINIC, every("practitioners", lambda clinic: clinic.practitioners)),
    Endpoint("/clinic/practitioners/{id}", CLINIC, one("practitioner", lambda clinic: clinic.practitioners)),
    Endpoint("/clinic/metadata", CLINIC, answers.metadata, ("id", "type")),
    Endpoint("/clinic/patients", PATIENTS, patients.patients, ("patient_type",)),
    Endpoint("/clinic/patients/{id}", PATIENTS, patients.patient),
    Endpoint("/clinic/patients/{patient_id}/dependents", PATIENTS, patients.dependents),
    Endpoint("/clinic/patients/{patient_id}/addresses", PATIENTS, patients.patient_addresses),
    Endpoint("/clinic/search/patients", PATIENTS, patients.search, ("query", "patient_type")),
    Endpoint("/clinic/patients/{patient_id}/orders", ORDERS, patients.patient_orders),
    Endpoint("/clinic/patients/{patient_id}/treatment_plans", PLAN_SCOPES, patients.patient_plans, SORT),
    Endpoint("/clinic/treatment_plans/{id}", PLAN_SCOPES, patients.plan),
    Endpoint("/clinic/orders", ORDERS, patients.orders, ORDER_ARGUMENTS),
    Endpoint("/clinic/orders/{id}", ORDERS, one("order", lambda clinic: clinic.orders)),
    Endpoint("/clinic/labs/orders", ORDERS, patients.lab_orders, ("patient_id",)),
    Endpoint("/clinic/labs/orders/{id}", ORDERS, patients.lab_order),
    Endpoint("/clinic/labs/tests/{id}", ORDERS, patients.lab_test),
)
LIBRARY = (
    Endpoint("/clinic/fullscript_protocols", CLINIC, answers.fullscript_protocols, SORT),
    Endpoint(
        "/clinic/practitioners/{practitioner_id}/protocols",
        CLINIC,
        answers.practitioner_protocols,
        ("current_state", "ownership_type", *SORT),
    ),
    Endpoint("/clinic/protocols/{id}", CLINIC, answers.protocol),
    Endpoint("/clinic/practitioners/{practitioner_id}/templates", CLINIC, answers.templates),
    Endpoint("/clinic/templates/{id}", CLINIC, answers.template),
    Endpoint("/clinic/practitioners/{practitioner_id}/resources", CLINIC, answers.practitioner_resources),
    Endpoint("/clinic/practitioners/{practitioner_id}/resources/{id}", CLINIC, answers.practitioner_resource),
    Endpoint("/clinic/fullscript_resources", CLINIC, every("resources", lambda clinic: clinic.catalog.resources)),
    Endpoint("/clinic/dynamic_links/treatment_plans", CLINIC, answers.new_plan_link),
    Endpoint("/clinic/dynamic_links/treatment_plans/{id}", CLINIC, answers.plan_link, ("entrypoint",)),
)
SHELF = (
    Endpoint("/clinic/categories", CLINIC, every("categories", lambda clinic: clinic.categories)),
    Endpoint("/clinic/categories/{id}", CLINIC, one("category", lambda clinic: clinic.categories)),
    Endpoint("/clinic/categories/{category_id}/products", CLINIC, catalog.category_products, SORT),
    Endpoint("/catalog/products", CATALOG, catalog.products, restricted=True),
    Endpoint("/catalog/products/{id}", CATALOG, catalog.product, ("practitioner_id",)),
    Endpoint("/catalog/products/{product_id}/similar", CATALOG, catalog.similar, restricted=True),
    Endpoint("/catalog/search/products", CATALOG, catalog.search, SEARCH_ARGUMENTS, restricted=True),
    Endpoint("/catalog/variants/{id}", CATALOG, catalog.variant),
    Endpoint("/catalog/brands", CATALOG, catalog.brands, ("available", "clinic_permitted")),
    Endpoint("/catalog/brands/{id}", CATALOG, term("brands", "brand")),
    Endpoint("/catalog/ingredients", CATALOG, terms("ingredients")),
    Endpoint("/catalog/ingredients/{id}", CATALOG, term("ingredients", "ingredient")),
    Endpoint("/catalog/allergens", CATALOG, terms("allergens")),
    Endpoint("/catalog/allergens/{id}", CATALOG, term("allergens", "allergen")),
    Endpoint("/catalog/supplement_types", CATALOG, terms("supplement_types")),
    Endpoint("/catalog/supplement_types/{id}", CATALOG, term("supplement_types", "supplement_type")),
    Endpoint("/catalog/third_party_certifications", CATALOG, terms("third_party_certifications")),
    Endpoint(
        "/catalog/third_party_certifications/{id}",
        CATALOG,
        term("third_party_certifications", "third_party_certification"),
    ),
    Endpoint("/catalog/practitioner_types", CATALOG, terms("practitioner_types")),
)
FEEDS = (
    Endpoint(
        "/webhooks/deliveries",
        "",
        events.deliveries,
        ("attempted_at", "event_id", "successfully_delivered", *SORT),
    ),
    Endpoint("/events/clinic_keys", CLINIC, events.events("clinic_key"), EVENT_ARGUMENTS),
    Endpoint("/events/patients", PATIENTS, events.events("patient"), EVENT_ARGUMENTS),
    Endpoint("/events/treatment_plans", PLANS, events.events("treatment_plan"), EVENT_ARGUMENTS),
    Endpoint("/events/orders", ORDERS, events.events("order"), EVENT_ARGUMENTS),
    # The one feed without an event_type argument.
    Endpoint("/events/lab_orders", ORDERS, events.events("lab_order", typed=False), ("created_at", *SORT)),
    Endpoint("/events/products", CATALOG, events.events("product"), EVENT_ARGUMENTS),
    Endpoint("/events/{id}", "", events.event),
)
ENDPOINTS = (*PEOPLE, *LIBRARY, *SHELF, *FEEDS)
BY_LENGTH: dict[int, list[Endpoint]] = {}
for _endpoint in ENDPOINTS:
    BY_LENGTH.setdefault(len(_endpoint.segments), []).append(_endpoint)


def find_endpoint(path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """The endpoint that a path (without the API's base) belongs to, and the ids in it; earlier rows win."""
    parts = path.strip("/").split("/")
    for endpoint in BY_LENGTH.get(len(parts), ()):
        pairs = list(zip(endpoint.segments, parts, strict=True))
        if all(wanted[0] == "{" or wanted == part for wanted, part in pairs):
            return endpoint, {wanted.strip("{}"): part for wanted, part in pairs if wanted[0] == "{"}
    return None
