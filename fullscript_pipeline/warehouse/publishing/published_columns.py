"""What stays in a copy for analysts: one list per level, and nothing that is not in it.

A column that is added to a table is in no copy until its description says so (`Column.published`). No level has names,
contacts, order numbers, ids of other systems, texts that people wrote (dosages, messages), records as received
(`extra`), staff, events or a table of `ops`. What does not belong here: the level of a column of a resource
(`resources`), how a column is changed on its way (`pseudonymise`, `deidentify`).
"""

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.resources.types import Copy, Table

Columns = dict[str, tuple[str, ...]]

_SEEN = ("observed_at", "removed_at")
_VERSION = ("valid_from", "valid_to")


def _published(copy: Copy) -> Columns:
    """The tables of a copy and their columns: what the descriptions in `resources` say."""
    tables = (table for table in ALL_TABLES if copy in table.copies)
    if copy is Copy.SHIFTED:
        return {f"core.{table.name}": _own_columns(table, copy) for table in tables}
    return {table.stored_in: (*_own_columns(table, copy), *_made_columns(table)) for table in tables}


def _own_columns(table: Table, copy: Copy) -> tuple[str, ...]:
    """The key, and the columns that say they are in the copy."""
    return (*table.key_columns, *(column.name for column in table.columns if copy in column.copies))


def _made_columns(table: Table) -> tuple[str, ...]:
    """When a row was seen and holds; of the catalog, which knows no person, its hash and when we learned of it too."""
    version = _VERSION if table.history else ()
    if table.scope == "clinic":
        return (*_SEEN, *version)
    return ("content_hash", *_SEEN, *version, *(("known_at",) if table.history else ()))


# Tables that no resource describes: what is made of the others.
_MADE: Columns = {
    "history.category_memberships": (
        "region", "clinic_id", "category_id", "product_id", "membership_id", "category_name", "removed_at",
        "valid_from", "valid_to",
    ),
    "marts.adherence": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "practitioner_id", "as_of", "window_start",
        "window_end", "window_days", "measurable", "status", "adherent", "pdc_min", "pdc_max", "on_hand_days",
        "run_out_on", "orders", "flags", "product_name", "brand_name", "variant_ids", "plan_state", "plan_started_on",
        "units_per_day_min_value", "units_per_day_max_value", "duration_kind", "duration_days", "refill",
        "units_to_purchase", "pdc_since_first_order", "cma1", "cma2", "cma5", "supply_ratio", "initiation_delay_days",
        "longest_gap_days", "gap_days", "first_order_on", "last_order_on", "units_supplied", "days_late", "due_in_days",
        "episodes", "is_persistent", "dose_since", "run_out_on_latest", "verdict", "share_verdict", "is_current",
        "continued_by", "guardian_patient_id",
    ),
    "marts.adherence_dose_periods": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "as_of", "dose_bound", "start_on", "end_on",
        "days", "dose_plan_id", "units_per_day_value", "units_on_hand", "units_bought", "units_used", "units_left",
        "days_covered",
    ),
    "marts.adherence_daily": ("clinic_id", "day", "status", "count"),
    "marts.patient_verdicts": ("clinic_id", "patient_id", "verdict", "since", "until"),
    # Without the names of labs.
    "marts.unordered_panels": ("clinic_id", "patient_id", "practitioner_id", "treatment_plan_id", "recommended_on"),
    # Without names, contacts, ids of other systems and the names of labs.
    "marts.patients": (
        "clinic_id", "patient_id", "guardian_patient_id", "practitioner_id", "as_of", "worst_status", "worst_verdict",
        "worst_product_id", "worst_product_name", "days_waiting", "last_order_on", "run_out_on", "next_step",
        "products", "labs_to_act_on",
    ),
    "marts.adherence_gaps": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "as_of", "gap_start", "gap_end", "gap_days",
        "is_open",
    ),
    "marts.adherence_timeline": (
        "clinic_id", "patient_id", "treatment_plan_id", "product_id", "as_of", "kind", "start_on", "end_on", "quantity",
        "units",
    ),
    "marts.catalog_changes": (
        "region", "changed_on", "entity", "entity_id", "product_id", "brand_id", "change", "field", "old_value",
        "new_value", "cosmetic", "active_plans", "entity_name", "product_name", "brand_name", "delta", "delta_percent",
        "seen_on",
    ),
}  # fmt: skip
# Ids are the copy's own, a date of birth is its year; other dates are kept.
PSEUDONYMISED: Columns = _published(Copy.PSEUDONYMISED) | _MADE
# Without every date that is the same for many patients: next to a shifted one it gives the shift away. So no time of
# ours, no history, no figure as of a day (adherence), and of the catalog no day on which a purchase made it known.
# Without times of day too, which a shift by days leaves as they are.
SHIFTED: Columns = _published(Copy.SHIFTED)

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
