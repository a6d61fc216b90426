"""The table of everything the API answers to a GET: path, scope, what answers it, whether restricted.

Paths are the technical reference's; wrapper keys follow the last path segment where the reference shows none. What
does not belong here: how an answer is made (`answers`) or sent (`routes`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from fullscript_pipeline.sandbox import answers
from fullscript_pipeline.sandbox.answers import (
    CATALOG,
    CLINIC,
    ORDERS,
    PATIENTS,
    PLANS,
    Call,
    Detail,
    Listing,
    every,
    one,
    term,
    terms,
)


@dataclass(frozen=True)
class Endpoint:
    """A GET endpoint; `{name}` in its path stands for an id."""

    path: str
    scope: str
    answer: Callable[[Call], Listing | Detail]
    restricted: bool = False

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path, cut at its slashes."""
        return tuple(self.path.strip("/").split("/"))


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("/clinic", CLINIC, lambda call: Detail("clinic", call.clinic.info)),
    Endpoint("/clinic/staff", CLINIC, every("staff", lambda clinic: clinic.staff)),
    Endpoint("/clinic/staff/{id}", CLINIC, one("staff", lambda clinic: clinic.staff)),
    Endpoint("/clinic/practitioners", CLINIC, every("practitioners", lambda clinic: clinic.practitioners)),
    Endpoint("/clinic/practitioners/{id}", CLINIC, one("practitioner", lambda clinic: clinic.practitioners)),
    Endpoint("/clinic/patients", PATIENTS, answers.patients),
    Endpoint("/clinic/patients/{id}", PATIENTS, answers.patient),
    Endpoint("/clinic/patients/{patient_id}/dependents", PATIENTS, answers.dependents),
    Endpoint("/clinic/patients/{patient_id}/orders", ORDERS, answers.patient_orders),
    Endpoint("/clinic/patients/{patient_id}/treatment_plans", PLANS, answers.patient_plans),
    Endpoint("/clinic/treatment_plans/{id}", PLANS, answers.plan),
    Endpoint("/clinic/orders", ORDERS, answers.orders),
    Endpoint("/clinic/orders/{id}", ORDERS, one("order", lambda clinic: clinic.orders)),
    Endpoint("/clinic/labs/orders", ORDERS, answers.lab_orders),
    Endpoint("/clinic/labs/orders/{id}", ORDERS, answers.lab_order),
    Endpoint("/clinic/categories", CLINIC, every("categories", lambda clinic: clinic.categories)),
    Endpoint("/clinic/categories/{id}", CLINIC, one("category", lambda clinic: clinic.categories)),
    Endpoint("/clinic/categories/{category_id}/products", CLINIC, answers.category_products),
    Endpoint("/catalog/products", CATALOG, every("products", lambda clinic: clinic.catalog.products), restricted=True),
    Endpoint("/catalog/products/{id}", CATALOG, answers.product),
    Endpoint("/catalog/variants/{id}", CATALOG, answers.variant),
    Endpoint("/catalog/brands", CATALOG, terms("brands")),
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
    Endpoint("/events/patients", PATIENTS, answers.events("patient")),
    Endpoint("/events/treatment_plans", PLANS, answers.events("treatment_plan")),
    Endpoint("/events/orders", ORDERS, answers.events("order")),
    # The one feed without an event_type argument.
    Endpoint("/events/lab_orders", ORDERS, answers.events("lab_order", typed=False)),
    Endpoint("/events/products", CATALOG, answers.events("product")),
    Endpoint("/events/{id}", "", answers.event),
)
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
