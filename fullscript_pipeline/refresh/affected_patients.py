"""Queries of a refresh on the warehouse: affected patients, patients with several plans, units, relationships.

What does not belong here: reading from the server (`object_fetch`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from fullscript_pipeline.extraction.pulls import Relationships


def affected_patient_ids(
    con: duckdb.DuckDBPyConnection, clinic_id: str, ids: Mapping[str, Sequence[str]], variants: Sequence[str]
) -> list[str]:
    """Returns the patients whose rows and pages depend on these objects, as stored now."""
    ids_by_family = {family: list(ids[family]) for family in ("plans", "orders", "labs", "patients")}
    rows = con.execute(
        """SELECT patient_id FROM core.treatment_plans WHERE clinic_id = $clinic AND treatment_plan_id IN $plans
        UNION SELECT patient_id FROM core.orders WHERE clinic_id = $clinic AND order_id IN $orders
        UNION SELECT patient_id FROM core.lab_orders WHERE clinic_id = $clinic AND lab_order_id IN $labs
        UNION SELECT patient_id FROM core.patients WHERE clinic_id = $clinic AND patient_id IN $patients
        UNION SELECT p.patient_id FROM core.treatment_plans p JOIN core.recommendations r
            USING (clinic_id, treatment_plan_id) WHERE clinic_id = $clinic AND r.variant_id IN $variants
        ORDER BY 1""",
        {"clinic": clinic_id, "variants": list(variants), **ids_by_family},
    ).fetchall()
    return [patient for (patient,) in rows if patient is not None]


def patients_with_several_plans(
    con: duckdb.DuckDBPyConnection, clinic_id: str, plans: Sequence[str], patient_by_plan: Mapping[str, str]
) -> list[str]:
    """Returns patients with more than one of these plans: their list takes one request. `patient_by_plan`: as events
    say."""
    rows = con.execute(
        "SELECT treatment_plan_id, patient_id FROM core.treatment_plans WHERE clinic_id = ? "
        "AND treatment_plan_id IN ? AND patient_id IS NOT NULL",
        [clinic_id, list(plans)],
    ).fetchall()
    owner_of = {**patient_by_plan, **dict(rows)}
    owners = Counter(owner_of[plan] for plan in plans if plan in owner_of)
    return [patient for patient, several in owners.items() if several > 1]


def variant_units(con: duckdb.DuckDBPyConnection, region: str, products: Sequence[str]) -> dict[str, Any]:
    """Returns the units and the unit of measure of the variants of these products."""
    rows = con.execute(
        "SELECT variant_id, (units, unit_of_measure) FROM core.variants WHERE region = ? AND product_id IN ?",
        [region, list(products)],
    ).fetchall()
    return dict(rows)


def stored_relationships(con: duckdb.DuckDBPyConnection, clinic_id: str) -> tuple[frozenset[str], Relationships]:
    """Returns the patients whose record says whether they are dependents, and who depends on whom."""
    rows = con.execute(
        "SELECT patient_id, is_dependent, guardian_patient_id FROM core.patients WHERE clinic_id = ? "
        "AND is_dependent IS NOT NULL",
        [clinic_id],
    ).fetchall()
    ties = Relationships(
        dependents=frozenset(patient for patient, dependent, _ in rows if dependent),
        guardian_of={patient: guardian for patient, dependent, guardian in rows if dependent and guardian},
    )
    return frozenset(patient for patient, _, _ in rows), ties
