"""The scopes that the pipeline reads with, and what stays empty without each.

What does not belong here: comparing them with a token's (`api.scopes`).
"""

CATALOG = "catalog:read"
CLINIC = "clinic:read"
PATIENTS = "patients:read"
PLANS = "patients:treatment_plan_history"
ORDERS = "patients:order_history"

READ_SCOPES: dict[str, str] = {
    CATALOG: "brands, products and variants stay empty: no catalog digest, and no product names in reports",
    CLINIC: "the clinic's own record, practitioners and staff stay empty",
    PATIENTS: "patients and everything about them stay empty: no adherence",
    PLANS: "plans made in the Fullscript app are missing, only those of the API show",
    ORDERS: "orders, labs and adherence stay empty",
}
