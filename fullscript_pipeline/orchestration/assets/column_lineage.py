"""Which columns the columns of a table or a spreadsheet are made from: only what can be named without guessing.

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
_CLINIC_SHEET = {
    "patient": ("core.patients.first_name", "core.patients.last_name"),
    "date_of_birth": ("core.patients.date_of_birth",),
    "practitioner": ("core.practitioners.first_name", "core.practitioners.last_name"),
    **{
        column: (f"marts.adherence.{source}",)
        for column, source in {
            "product": "product_name",
            "brand": "brand_name",
            "last_ordered": "last_order_on",
            "supply_until": "run_out_on",
            "window_first_day": "window_start",
            "dosage": "dosage_text",
            **{same: same for same in ("status", "orders", "as_of", "patient_id", "treatment_plan_id", "product_id")},
        }.items()
    },
    "share_of_days_covered": ("marts.adherence.pdc_min", "marts.adherence.pdc_max"),
}
_CHANGE_COLUMNS = (
    *("changed_on", "region", "entity", "entity_id", "product_id", "brand_id", "brand_name", "product_name"),
    *("change", "field", "old_value", "new_value", "cosmetic", "active_plans"),
)
_LINEAGE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "core/clinic_variants": {"variant_id": ("recommendations.variant_id", "order_line_items.variant_id")},
    "core/lab_tests": {"lab_test_id": ("lab_order_tests.lab_test_id",)},
    "core/practitioner_protocols": {"practitioner_id": ("practitioners.practitioner_id",)},
    "core/practitioner_resources": {"practitioner_id": ("practitioners.practitioner_id",)},
    "core/addresses": {"patient_id": ("patients.patient_id",)},
    "core/templates": {"practitioner_id": ("practitioners.practitioner_id",)},
    "core/similar_products": {"product_id": ("products.product_id",)},
    "core/product_ingredients": {"ingredient_id": ("ingredients.ingredient_id",)},
    "core/product_allergens": {"allergen_id": ("allergens.allergen_id",)},
    "core/product_supplement_types": {"supplement_type_id": ("supplement_types.supplement_type_id",)},
    "core/product_third_party_certifications": {
        "third_party_certification_id": ("third_party_certifications.third_party_certification_id",)
    },
    "core/custom_dosages": {
        "practitioner_id": ("treatment_plans.practitioner_id", "protocols.practitioner_id"),
    },
    "reports/adherence": _CLINIC_SHEET,
    "reports/catalog_digest": {column: (f"marts.catalog_changes.{column}",) for column in _CHANGE_COLUMNS},
    "marts/adherence": _ADHERENCE,
    "marts/adherence_gaps": {**_PLAN_KEY, **dict.fromkeys(("gap_start", "gap_end", "gap_days"), _SUPPLY)},
    "marts/adherence_timeline": {**_PLAN_KEY, **dict.fromkeys(("kind", "start_on", "end_on"), _SUPPLY)},
    "marts/catalog_changes": {
        "region": ("products.region",),
        "product_id": ("products.product_id",),
        "brand_id": ("products.brand_id",),
        "product_name": ("products.name",),
        "brand_name": ("brands.name",),
    },
}


def column_sources(asset: str) -> Mapping[str, tuple[str, ...]]:
    """Of each column of `asset` whose sources are known, `schema.table.column` of each."""
    return {
        column: tuple(source if source.count(".") == 2 else f"core.{source}" for source in sources)
        for column, sources in _LINEAGE.get(asset, {}).items()
    }


def column_lineage(asset: str) -> dict[str, dg.MetadataValue]:
    """Metadata for a materialization of `asset`: what each column comes from; empty when nothing is known of any."""
    deps = {column: [_column(source) for source in sources] for column, sources in column_sources(asset).items()}
    if not deps:
        return {}
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}


def _column(source: str) -> dg.TableColumnDep:
    *key, column = source.split(".")
    return dg.TableColumnDep(dg.AssetKey(key), column)
