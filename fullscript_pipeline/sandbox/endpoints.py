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
    find_by_id,
    find_term,
    list_every,
    list_terms,
)

SORT = ("sort_by", "order_by")
EVENT_ARGUMENTS = ("created_at", "event_type", *SORT)
ORDER_ARGUMENTS = ("patient_id", "treatment_plan_id", "completed_at", "type", "order_number", *SORT)
SEARCH_ARGUMENTS = ("query", "brand_id", *(f"{name}[]" for name in catalog.ID_LISTS))
PLAN_SCOPES = f"{PATIENTS} {PLANS}"


@dataclass(frozen=True)
class SandboxEndpoint:
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
    SandboxEndpoint("/clinic", CLINIC, answers.clinic),
    SandboxEndpoint("/clinic/staff", CLINIC, list_every("staff", lambda clinic: clinic.staff)),
    SandboxEndpoint("/clinic/staff/{id}", CLINIC, find_by_id("staff", lambda clinic: clinic.staff)),
    SandboxEndpoint("/clinic/practitioners", CLINIC, list_every("practitioners", lambda clinic: clinic.practitioners)),
    SandboxEndpoint(
        "/clinic/practitioners/{id}", CLINIC, find_by_id("practitioner", lambda clinic: clinic.practitioners)
    ),
    SandboxEndpoint("/clinic/metadata", CLINIC, answers.metadata, ("id", "type")),
    SandboxEndpoint("/clinic/patients", PATIENTS, patients.patients, ("patient_type",)),
    SandboxEndpoint("/clinic/patients/{id}", PATIENTS, patients.patient),
    SandboxEndpoint("/clinic/patients/{patient_id}/dependents", PATIENTS, patients.dependents),
    SandboxEndpoint("/clinic/patients/{patient_id}/addresses", PATIENTS, patients.patient_addresses),
    SandboxEndpoint("/clinic/search/patients", PATIENTS, patients.search, ("query", "patient_type")),
    SandboxEndpoint("/clinic/patients/{patient_id}/orders", ORDERS, patients.patient_orders),
    SandboxEndpoint("/clinic/patients/{patient_id}/treatment_plans", PLAN_SCOPES, patients.patient_plans, SORT),
    SandboxEndpoint("/clinic/treatment_plans/{id}", PLAN_SCOPES, patients.plan),
    SandboxEndpoint("/clinic/orders", ORDERS, patients.orders, ORDER_ARGUMENTS),
    SandboxEndpoint("/clinic/orders/{id}", ORDERS, find_by_id("order", lambda clinic: clinic.orders)),
    SandboxEndpoint("/clinic/labs/orders", ORDERS, patients.lab_orders, ("patient_id",)),
    SandboxEndpoint("/clinic/labs/orders/{id}", ORDERS, patients.lab_order),
    SandboxEndpoint("/clinic/labs/tests/{id}", ORDERS, patients.lab_test),
)
LIBRARY = (
    SandboxEndpoint("/clinic/fullscript_protocols", CLINIC, answers.fullscript_protocols, SORT),
    SandboxEndpoint(
        "/clinic/practitioners/{practitioner_id}/protocols",
        CLINIC,
        answers.practitioner_protocols,
        ("current_state", "ownership_type", *SORT),
    ),
    SandboxEndpoint("/clinic/protocols/{id}", CLINIC, answers.protocol),
    SandboxEndpoint("/clinic/practitioners/{practitioner_id}/templates", CLINIC, answers.templates),
    SandboxEndpoint("/clinic/templates/{id}", CLINIC, answers.template),
    SandboxEndpoint("/clinic/practitioners/{practitioner_id}/resources", CLINIC, answers.practitioner_resources),
    SandboxEndpoint("/clinic/practitioners/{practitioner_id}/resources/{id}", CLINIC, answers.practitioner_resource),
    SandboxEndpoint(
        "/clinic/fullscript_resources", CLINIC, list_every("resources", lambda clinic: clinic.catalog.resources)
    ),
    SandboxEndpoint("/clinic/dynamic_links/treatment_plans", CLINIC, answers.new_plan_link),
    SandboxEndpoint("/clinic/dynamic_links/treatment_plans/{id}", CLINIC, answers.plan_link, ("entrypoint",)),
)
SHELF = (
    SandboxEndpoint("/clinic/categories", CLINIC, list_every("categories", lambda clinic: clinic.categories)),
    SandboxEndpoint("/clinic/categories/{id}", CLINIC, find_by_id("category", lambda clinic: clinic.categories)),
    SandboxEndpoint("/clinic/categories/{category_id}/products", CLINIC, catalog.category_products, SORT),
    SandboxEndpoint("/catalog/products", CATALOG, catalog.products, restricted=True),
    SandboxEndpoint("/catalog/products/{id}", CATALOG, catalog.product, ("practitioner_id",)),
    SandboxEndpoint("/catalog/products/{product_id}/similar", CATALOG, catalog.similar, restricted=True),
    SandboxEndpoint("/catalog/search/products", CATALOG, catalog.search, SEARCH_ARGUMENTS, restricted=True),
    SandboxEndpoint("/catalog/variants/{id}", CATALOG, catalog.variant),
    SandboxEndpoint("/catalog/brands", CATALOG, catalog.brands, ("available", "clinic_permitted")),
    SandboxEndpoint("/catalog/brands/{id}", CATALOG, find_term("brands", "brand")),
    SandboxEndpoint("/catalog/ingredients", CATALOG, list_terms("ingredients")),
    SandboxEndpoint("/catalog/ingredients/{id}", CATALOG, find_term("ingredients", "ingredient")),
    SandboxEndpoint("/catalog/allergens", CATALOG, list_terms("allergens")),
    SandboxEndpoint("/catalog/allergens/{id}", CATALOG, find_term("allergens", "allergen")),
    SandboxEndpoint("/catalog/supplement_types", CATALOG, list_terms("supplement_types")),
    SandboxEndpoint("/catalog/supplement_types/{id}", CATALOG, find_term("supplement_types", "supplement_type")),
    SandboxEndpoint("/catalog/third_party_certifications", CATALOG, list_terms("third_party_certifications")),
    SandboxEndpoint(
        "/catalog/third_party_certifications/{id}",
        CATALOG,
        find_term("third_party_certifications", "third_party_certification"),
    ),
    SandboxEndpoint("/catalog/practitioner_types", CATALOG, list_terms("practitioner_types")),
)
FEEDS = (
    SandboxEndpoint(
        "/webhooks/deliveries",
        "",
        events.deliveries,
        ("attempted_at", "event_id", "successfully_delivered", *SORT),
    ),
    SandboxEndpoint("/events/clinic_keys", CLINIC, events.events("clinic_key"), EVENT_ARGUMENTS),
    SandboxEndpoint("/events/patients", PATIENTS, events.events("patient"), EVENT_ARGUMENTS),
    SandboxEndpoint("/events/treatment_plans", PLANS, events.events("treatment_plan"), EVENT_ARGUMENTS),
    SandboxEndpoint("/events/orders", ORDERS, events.events("order"), EVENT_ARGUMENTS),
    # The one feed without an event_type argument.
    SandboxEndpoint("/events/lab_orders", ORDERS, events.events("lab_order", typed=False), ("created_at", *SORT)),
    SandboxEndpoint("/events/products", CATALOG, events.events("product"), EVENT_ARGUMENTS),
    SandboxEndpoint("/events/{id}", "", events.event),
)
ENDPOINTS = (*PEOPLE, *LIBRARY, *SHELF, *FEEDS)
BY_LENGTH: dict[int, list[SandboxEndpoint]] = {}
for _endpoint in ENDPOINTS:
    BY_LENGTH.setdefault(len(_endpoint.segments), []).append(_endpoint)


def find_endpoint(path: str) -> tuple[SandboxEndpoint, dict[str, str]] | None:
    """The endpoint that a path (without the API's base) belongs to, and the ids in it; earlier rows win."""
    parts = path.strip("/").split("/")
    for endpoint in BY_LENGTH.get(len(parts), ()):
        pairs = list(zip(endpoint.segments, parts, strict=True))
        if all(segment[0] == "{" or segment == part for segment, part in pairs):
            return endpoint, {segment.strip("{}"): part for segment, part in pairs if segment[0] == "{"}
    return None
