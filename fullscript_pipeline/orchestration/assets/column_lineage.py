"""Which columns the columns of a mart are made from: only what can be named without guessing.

A measure that an algorithm makes from many columns (a share covered, a status) has those that it cannot do without.
What does not belong here: which tables depend on which (the assets' `deps`).
"""

from collections.abc import Mapping

import dagster as dg

_PLAN_KEY = {
    "clinic_id": ("treatment_plans.clinic_id",),
    "patient_id": ("treatment_plans.patient_id",),
    "treatment_plan_id": ("treatment_plans.treatment_plan_id",),
    "product_id": ("recommendations.variant_id", "variants.product_id"),
}
_SUPPLY = (
    "order_line_items.quantity",
    "orders.completed_on",
    "orders.is_refunded",
    "variants.units",
    "recommendations.dosage_amount",
    "recommendations.dosage_frequency",
    "recommendations.dosage_duration",
)
_ADHERENCE = {
    **_PLAN_KEY,
    "practitioner_id": ("treatment_plans.practitioner_id",),
    "plan_state": ("treatment_plans.state",),
    "window_start": ("treatment_plans.available_at", "treatment_plans.created_at"),
    "product_name": ("products.name",),
    "brand_name": ("brands.name",),
    "variant_ids": ("recommendations.variant_id",),
    "refill": ("recommendations.refill",),
    "units_to_purchase": ("recommendations.units_to_purchase",),
    "dosage_text": (
        "recommendations.dosage_amount",
        "recommendations.dosage_frequency",
        "recommendations.dosage_duration",
        "recommendations.dosage_additional_info",
    ),
    "orders": ("orders.order_id",),
    "first_order_on": ("orders.completed_on",),
    "last_order_on": ("orders.completed_on",),
    "last_order_quantity": ("order_line_items.quantity",),
    **dict.fromkeys(("status", "pdc_min", "pdc_max", "on_hand_days", "run_out_on", "units_supplied"), _SUPPLY),
}
_LINEAGE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "adherence": _ADHERENCE,
    "adherence_gaps": {**_PLAN_KEY, **dict.fromkeys(("gap_start", "gap_end", "gap_days"), _SUPPLY)},
    "adherence_timeline": {**_PLAN_KEY, **dict.fromkeys(("kind", "start_on", "end_on"), _SUPPLY)},
    "catalog_changes": {
        "region": ("products.region",),
        "product_id": ("products.product_id",),
        "brand_id": ("products.brand_id",),
        "product_name": ("products.name",),
        "brand_name": ("brands.name",),
    },
}


def column_lineage(mart: str) -> dict[str, dg.MetadataValue]:
    """Metadata for a materialization of `marts.<mart>`: the columns of `core` that each column comes from."""
    deps = {column: [_column(source) for source in sources] for column, sources in _LINEAGE[mart].items()}
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}


def _column(source: str) -> dg.TableColumnDep:
    table, _, column = source.partition(".")
    return dg.TableColumnDep(dg.AssetKey(["core", table]), column)
