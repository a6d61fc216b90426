"""A clinic of any size in memory, with one plan a patient: what the benchmark of the mart works on.

What does not belong here: times (`adherence`), and a clinic with pages (`pages`).
"""

from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic

PULLED = "TIMESTAMPTZ '2025-04-10 12:00:00Z'"
# Every fiftieth patient is a dependent, one of whose orders is on the guardian's account.
WORLD = (
    """INSERT INTO core.patients BY NAME SELECT 'c1' AS clinic_id, 'p' || i AS patient_id, 'Mia' AS first_name,
        'Stone ' || i AS last_name, false AS archived,
        CASE WHEN i % 50 = 1 THEN 'p' || (i - 1) END AS guardian_patient_id
        FROM range({patients}) AS t (i)""",
    f"""INSERT INTO history.treatment_plans BY NAME SELECT 'c1' AS clinic_id, 't' || i AS treatment_plan_id,
        'p' || i AS patient_id, 'active' AS state, DATE '2025-01-01' + (i % 90)::INTEGER AS available_at,
        available_at AS created_on, 'd' || (i % 10) AS practitioner_id, {PULLED} AS valid_from
        FROM range({{patients}}) AS t (i)""",
    f"""INSERT INTO history.recommendations BY NAME SELECT 'c1' AS clinic_id, 't' || i AS treatment_plan_id,
        0 AS position, 'v' || (i % 5) AS variant_id, true AS refill,
        CASE i % 4 WHEN 3 THEN '1-2' ELSE '2' END AS dosage_amount, 'once per day' AS dosage_frequency,
        'capsule' AS dosage_format, {PULLED} AS valid_from FROM range({{patients}}) AS t (i)""",
    """INSERT INTO core.orders BY NAME SELECT 'c1' AS clinic_id, i || '-' || m AS order_id,
        'p' || CASE WHEN i % 50 = 1 AND m = 2 THEN i - 1 ELSE i END AS patient_id,
        DATE '2025-02-01' + ((i * 7 + m * 31) % 280)::INTEGER AS completed_on, false AS is_refunded,
        CASE WHEN m < 3 THEN ['t' || i] END AS treatment_plan_ids
        FROM range({patients}) AS t (i), range({orders}) AS w (m)""",
    """INSERT INTO core.order_line_items BY NAME SELECT 'c1' AS clinic_id, i || '-' || m AS order_id, 0 AS position,
        'v' || (i % 5) AS variant_id, 1 AS quantity, 'supplement' AS line_type
        FROM range({patients}) AS t (i), range({orders}) AS w (m)""",
)


def large_clinic(patients: int, orders: int) -> Clinic:
    """Of so many patients, each with so many orders of one line."""
    clinic = Clinic()
    for number in range(5):
        clinic.product(f"product {number}", {f"v{number}": (60, "capsules")})
    for statement in WORLD:
        clinic.con.execute(statement.format(patients=patients, orders=orders))
    return clinic
