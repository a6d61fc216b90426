"""The dosages that a practitioner has set for products in place of the label's: on request only.

What does not belong here: the label's dosage (`products`), the dosage of a plan's line (`plan_lines`).
"""

from fullscript_pipeline.resources.types import ON_REQUEST, RequestEstimate, Resource, Table, scopes, text

CUSTOM_DOSAGES = Table(
    name="custom_dosages",
    scope="clinic",
    key=("practitioner_id", "product_id"),
    history=True,
    columns=(
        text("recommended_amount"),
        text("recommended_frequency"),
        text("recommended_duration"),
        text("format"),
        text("additional_info"),
    ),
)

CUSTOM_DOSAGES_RESOURCE = Resource(
    name="custom_dosages",
    texts={
        "custom_dosages": "The dosage that a practitioner has set for a product in place of the label's, with history. "
        "Only products that the practitioner's plans or protocols recommend are read."
    },
    tables=(CUSTOM_DOSAGES,),
    made_from={"custom_dosages": ("treatment_plans", "recommendations", "protocols", "protocol_recommendations")},
    source="GET /catalog/products/{id}?practitioner_id=",
    scope=scopes.CATALOG,
    group="clinical",
    contains_phi=False,
    cadence=f"{ON_REQUEST}: once per practitioner and product, then a rolling share",
    option="custom_dosages",
    estimate=RequestEstimate(
        rule="as last time",
        first_each="recommended product",
        why="one for each practitioner and product that they recommend, then a share a day",
    ),
)
