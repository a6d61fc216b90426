"""The columns of a copy for analysts: one list per level, and no other column is copied.

A new column of a table is in no copy until it is added here. No level has names, contacts, order
numbers, ids of other systems, texts that people wrote (dosages, messages), records as received (`extra`), staff, events
or a table of `ops`. What does not belong here: how a column is changed on its way (`pseudonymise`, `deidentify`).
"""

Columns = dict[str, tuple[str, ...]]

_OBSERVED = ("observed_at", "removed_at")
_VERSION = (*_OBSERVED, "valid_from", "valid_to")
_CATALOG = ("content_hash", *_VERSION, "known_at")
_CATALOG_PLAIN = ("content_hash", *_OBSERVED)

# Ids are the copy's own, a date of birth is its year; other dates are kept.
PSEUDONYMISED: Columns = {
    "core.clinics": ("clinic_id", "region", "patient_count", "practitioner_count", *_OBSERVED),
    "core.practitioners": ("clinic_id", "practitioner_id", "practitioner_type_id", *_OBSERVED),
    "core.patients": (
        "clinic_id", "patient_id", "date_of_birth", "gender", "archived", "is_dependent", "guardian_patient_id",
        *_OBSERVED,
    ),
    "history.treatment_plans": (
        "clinic_id", "treatment_plan_id", "patient_id", "practitioner_id", "state", "available_at", "created_at",
        "updated_at", *_VERSION,
    ),
    "history.recommendations": (
        "clinic_id", "treatment_plan_id", "position", "variant_id", "units_to_purchase", "refill", *_VERSION,
    ),
    "core.orders": (
        "clinic_id", "order_id", "patient_id", "completed_at", "completed_on", "treatment_plan_ids", "is_refunded",
        *_OBSERVED,
    ),
    "core.order_line_items": ("clinic_id", "order_id", "position", "variant_id", "quantity", "line_type", *_OBSERVED),
    "history.lab_orders": (
        "clinic_id", "lab_order_id", "patient_id", "practitioner_id", "treatment_plan_id", "state", *_VERSION,
    ),
    "history.lab_order_tests": ("clinic_id", "lab_order_id", "position", "lab_test_id", *_VERSION),
    "history.lab_order_results": ("clinic_id", "lab_order_id", "position", "state", *_VERSION),
    "core.categories": ("clinic_id", "category_id", "name", *_OBSERVED),
    "core.category_products": ("clinic_id", "category_id", "product_id", "product_name", *_OBSERVED),
    "marts.adherence": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "practitioner_id", "as_of", "window_start",
        "window_end", "window_days", "measurable", "status", "adherent", "pdc_min", "pdc_max", "on_hand_days",
        "run_out_on", "orders", "flags", "product_name", "brand_name", "variant_ids", "plan_state", "plan_started_on",
        "units_per_day_min_value", "units_per_day_max_value", "duration_kind", "duration_days", "refill",
        "units_to_purchase", "pdc_since_first_order", "cma1", "cma2", "cma5", "supply_ratio", "initiation_delay_days",
        "longest_gap_days", "gap_days", "first_order_on", "last_order_on", "units_supplied", "days_late", "due_in_days",
        "episodes", "is_persistent",
    ),
    "marts.adherence_gaps": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "as_of", "gap_start", "gap_end", "gap_days",
        "is_open",
    ),
    "marts.adherence_timeline": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "as_of", "kind", "start_on", "end_on", "quantity",
        "units",
    ),
    # The vendor's catalog knows no person.
    "history.brands": ("region", "brand_id", "name", "prefix", "status", "available", "clinic_permitted", *_CATALOG),
    "history.products": (
        "region", "product_id", "name", "brand_id", "description_html", "dosage_recommended_amount",
        "dosage_recommended_frequency", "dosage_recommended_duration", "dosage_format", "dosage_additional_info",
        *_CATALOG,
    ),
    "history.variants": (
        "region", "variant_id", "product_id", "name", "sku", "is_primary", "units", "units_raw", "unit_of_measure",
        "availability", "status", "upc", "msrp", "msrp_raw", "supplier_sku", *_CATALOG,
    ),
    "history.ingredients": ("region", "ingredient_id", "name", *_CATALOG),
    "history.allergens": ("region", "allergen_id", "name", *_CATALOG),
    "history.supplement_types": ("region", "supplement_type_id", "name", *_CATALOG),
    "history.third_party_certifications": ("region", "third_party_certification_id", "name", *_CATALOG),
    "history.practitioner_types": ("region", "practitioner_type_id", "name", *_CATALOG),
    "history.category_memberships": (
        "region", "clinic_id", "category_id", "product_id", "membership_id", "category_name", "removed_at",
        "valid_from", "valid_to",
    ),
    "core.similar_products": (
        "region", "product_id", "similar_product_id", "place", "similar_product_name", *_CATALOG_PLAIN,
    ),
    "core.product_searches": ("region", "query", "product_id", "place", "product_name", *_CATALOG_PLAIN),
    "marts.catalog_changes": (
        "region", "changed_on", "entity", "entity_id", "product_id", "brand_id", "change", "field", "old_value",
        "new_value", "cosmetic", "active_plans", "entity_name", "product_name", "brand_name", "delta", "delta_percent",
        "seen_on",
    ),
}  # fmt: skip

# Without every date that is the same for many patients: next to a shifted one it gives the shift away. So no time of
# ours, no history, no figure as of a day (adherence), and of the catalog no day on which a purchase made it known.
# Without times of day too, which a shift by days leaves as they are.
SHIFTED: Columns = {
    "core.clinics": ("clinic_id", "region"),
    "core.practitioners": ("clinic_id", "practitioner_id", "practitioner_type_id"),
    "core.patients": (
        "clinic_id", "patient_id", "date_of_birth", "gender", "archived", "is_dependent", "guardian_patient_id",
    ),
    "core.treatment_plans": (
        "clinic_id", "treatment_plan_id", "patient_id", "practitioner_id", "state", "available_at", "created_on",
    ),
    "core.recommendations": (
        "clinic_id", "treatment_plan_id", "position", "variant_id", "units_to_purchase", "refill",
    ),
    "core.orders": ("clinic_id", "order_id", "patient_id", "completed_on", "treatment_plan_ids", "is_refunded"),
    "core.order_line_items": ("clinic_id", "order_id", "position", "variant_id", "quantity", "line_type"),
    "core.lab_orders": (
        "clinic_id", "lab_order_id", "patient_id", "practitioner_id", "treatment_plan_id", "state",
    ),
    "core.lab_order_tests": ("clinic_id", "lab_order_id", "position", "lab_test_id"),
    "core.lab_order_results": ("clinic_id", "lab_order_id", "position", "state"),
    "core.practitioner_types": ("region", "practitioner_type_id", "name"),
    "core.brands": ("region", "brand_id", "name"),
    "core.products": ("region", "product_id", "name", "brand_id", "dosage_format"),
    "core.variants": ("region", "variant_id", "product_id", "sku", "units", "unit_of_measure", "msrp"),
}  # fmt: skip

# Tables of the copy's own (`deidentify`): no order, plan, practitioner, pack, price, quantity or count of anything.
DEIDENTIFIED: Columns = {
    "core.clinics": ("clinic_id", "region"),
    "core.patients": ("clinic_id", "patient_id", "birth_years", "gender"),
    "core.purchases": ("clinic_id", "patient_id", "product_id", "year", "repeated"),
    "core.recommendations": ("clinic_id", "patient_id", "product_id", "year", "repeated"),
    "core.products": ("region", "product_id", "name", "brand_name"),
}


def gender_word(column: str) -> str:
    """SQL for the gender: one of the vendor's words; any other text becomes `other`."""
    word = f"lower(trim({column}))"
    return f"CASE WHEN {word} IN ('female', 'male', 'x') THEN {word} WHEN {column} IS NOT NULL THEN 'other' END"
