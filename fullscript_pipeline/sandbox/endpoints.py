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


@dataclass(frozen=True, kw_only=True)
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
    SandboxEndpoint(path="/clinic", scope=CLINIC, answer=answers.clinic),
    SandboxEndpoint(path="/clinic/staff", scope=CLINIC, answer=list_every("staff", lambda clinic: clinic.staff)),
    SandboxEndpoint(path="/clinic/staff/{id}", scope=CLINIC, answer=find_by_id("staff", lambda clinic: clinic.staff)),
    SandboxEndpoint(
        path="/clinic/practitioners",
        scope=CLINIC,
        answer=list_every("practitioners", lambda clinic: clinic.practitioners),
    ),
    SandboxEndpoint(
        path="/clinic/practitioners/{id}",
        scope=CLINIC,
        answer=find_by_id("practitioner", lambda clinic: clinic.practitioners),
    ),
    SandboxEndpoint(path="/clinic/metadata", scope=CLINIC, answer=answers.metadata, arguments=("id", "type")),
    SandboxEndpoint(path="/clinic/patients", scope=PATIENTS, answer=patients.patients, arguments=("patient_type",)),
    SandboxEndpoint(path="/clinic/patients/{id}", scope=PATIENTS, answer=patients.patient),
    SandboxEndpoint(path="/clinic/patients/{patient_id}/dependents", scope=PATIENTS, answer=patients.dependents),
    SandboxEndpoint(path="/clinic/patients/{patient_id}/addresses", scope=PATIENTS, answer=patients.patient_addresses),
    SandboxEndpoint(
        path="/clinic/search/patients", scope=PATIENTS, answer=patients.search, arguments=("query", "patient_type")
    ),
    SandboxEndpoint(path="/clinic/patients/{patient_id}/orders", scope=ORDERS, answer=patients.patient_orders),
    SandboxEndpoint(
        path="/clinic/patients/{patient_id}/treatment_plans",
        scope=PLAN_SCOPES,
        answer=patients.patient_plans,
        arguments=SORT,
    ),
    SandboxEndpoint(path="/clinic/treatment_plans/{id}", scope=PLAN_SCOPES, answer=patients.plan),
    SandboxEndpoint(path="/clinic/orders", scope=ORDERS, answer=patients.orders, arguments=ORDER_ARGUMENTS),
    SandboxEndpoint(path="/clinic/orders/{id}", scope=ORDERS, answer=find_by_id("order", lambda clinic: clinic.orders)),
    SandboxEndpoint(path="/clinic/labs/orders", scope=ORDERS, answer=patients.lab_orders, arguments=("patient_id",)),
    SandboxEndpoint(path="/clinic/labs/orders/{id}", scope=ORDERS, answer=patients.lab_order),
    SandboxEndpoint(path="/clinic/labs/tests/{id}", scope=ORDERS, answer=patients.lab_test),
)
LIBRARY = (
    SandboxEndpoint(
        path="/clinic/fullscript_protocols", scope=CLINIC, answer=answers.fullscript_protocols, arguments=SORT
    ),
    SandboxEndpoint(
        path="/clinic/practitioners/{practitioner_id}/protocols",
        scope=CLINIC,
        answer=answers.practitioner_protocols,
        arguments=("current_state", "ownership_type", *SORT),
    ),
    SandboxEndpoint(path="/clinic/protocols/{id}", scope=CLINIC, answer=answers.protocol),
    SandboxEndpoint(path="/clinic/practitioners/{practitioner_id}/templates", scope=CLINIC, answer=answers.templates),
    SandboxEndpoint(path="/clinic/templates/{id}", scope=CLINIC, answer=answers.template),
    SandboxEndpoint(
        path="/clinic/practitioners/{practitioner_id}/resources", scope=CLINIC, answer=answers.practitioner_resources
    ),
    SandboxEndpoint(
        path="/clinic/practitioners/{practitioner_id}/resources/{id}",
        scope=CLINIC,
        answer=answers.practitioner_resource,
    ),
    SandboxEndpoint(
        path="/clinic/fullscript_resources",
        scope=CLINIC,
        answer=list_every("resources", lambda clinic: clinic.catalog.resources),
    ),
    SandboxEndpoint(path="/clinic/dynamic_links/treatment_plans", scope=CLINIC, answer=answers.new_plan_link),
    SandboxEndpoint(
        path="/clinic/dynamic_links/treatment_plans/{id}",
        scope=CLINIC,
        answer=answers.plan_link,
        arguments=("entrypoint",),
    ),
)
SHELF = (
    SandboxEndpoint(
        path="/clinic/categories", scope=CLINIC, answer=list_every("categories", lambda clinic: clinic.categories)
    ),
    SandboxEndpoint(
        path="/clinic/categories/{id}", scope=CLINIC, answer=find_by_id("category", lambda clinic: clinic.categories)
    ),
    SandboxEndpoint(
        path="/clinic/categories/{category_id}/products", scope=CLINIC, answer=catalog.category_products, arguments=SORT
    ),
    SandboxEndpoint(path="/catalog/products", scope=CATALOG, answer=catalog.products, restricted=True),
    SandboxEndpoint(
        path="/catalog/products/{id}", scope=CATALOG, answer=catalog.product, arguments=("practitioner_id",)
    ),
    SandboxEndpoint(
        path="/catalog/products/{product_id}/similar", scope=CATALOG, answer=catalog.similar, restricted=True
    ),
    SandboxEndpoint(
        path="/catalog/search/products",
        scope=CATALOG,
        answer=catalog.search,
        arguments=SEARCH_ARGUMENTS,
        restricted=True,
    ),
    SandboxEndpoint(path="/catalog/variants/{id}", scope=CATALOG, answer=catalog.variant),
    SandboxEndpoint(
        path="/catalog/brands", scope=CATALOG, answer=catalog.brands, arguments=("available", "clinic_permitted")
    ),
    SandboxEndpoint(path="/catalog/brands/{id}", scope=CATALOG, answer=find_term("brands", "brand")),
    SandboxEndpoint(path="/catalog/ingredients", scope=CATALOG, answer=list_terms("ingredients")),
    SandboxEndpoint(path="/catalog/ingredients/{id}", scope=CATALOG, answer=find_term("ingredients", "ingredient")),
    SandboxEndpoint(path="/catalog/allergens", scope=CATALOG, answer=list_terms("allergens")),
    SandboxEndpoint(path="/catalog/allergens/{id}", scope=CATALOG, answer=find_term("allergens", "allergen")),
    SandboxEndpoint(path="/catalog/supplement_types", scope=CATALOG, answer=list_terms("supplement_types")),
    SandboxEndpoint(
        path="/catalog/supplement_types/{id}", scope=CATALOG, answer=find_term("supplement_types", "supplement_type")
    ),
    SandboxEndpoint(
        path="/catalog/third_party_certifications", scope=CATALOG, answer=list_terms("third_party_certifications")
    ),
    SandboxEndpoint(
        path="/catalog/third_party_certifications/{id}",
        scope=CATALOG,
        answer=find_term("third_party_certifications", "third_party_certification"),
    ),
    SandboxEndpoint(path="/catalog/practitioner_types", scope=CATALOG, answer=list_terms("practitioner_types")),
)
FEEDS = (
    SandboxEndpoint(
        path="/webhooks/deliveries",
        scope="",
        answer=events.deliveries,
        arguments=("attempted_at", "event_id", "successfully_delivered", *SORT),
    ),
    SandboxEndpoint(
        path="/events/clinic_keys", scope=CLINIC, answer=events.events("clinic_key"), arguments=EVENT_ARGUMENTS
    ),
    SandboxEndpoint(
        path="/events/patients", scope=PATIENTS, answer=events.events("patient"), arguments=EVENT_ARGUMENTS
    ),
    SandboxEndpoint(
        path="/events/treatment_plans", scope=PLANS, answer=events.events("treatment_plan"), arguments=EVENT_ARGUMENTS
    ),
    SandboxEndpoint(path="/events/orders", scope=ORDERS, answer=events.events("order"), arguments=EVENT_ARGUMENTS),
    # The one feed without an event_type argument.
    SandboxEndpoint(
        path="/events/lab_orders",
        scope=ORDERS,
        answer=events.events("lab_order", typed=False),
        arguments=("created_at", *SORT),
    ),
    SandboxEndpoint(path="/events/products", scope=CATALOG, answer=events.events("product"), arguments=EVENT_ARGUMENTS),
    SandboxEndpoint(path="/events/{id}", scope="", answer=events.event),
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
