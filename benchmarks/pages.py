"""How long a clinic's adherence mart, pages, spreadsheet files and kept ZIP take, and how large they are.

PYTHONPATH=. python benchmarks/pages.py [PATIENTS]      five products and thirty orders a patient
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from fullscript_pipeline.adherence import build_adherence
from fullscript_pipeline.maintenance.page_rebuild import MART_THREADS
from fullscript_pipeline.reports import ReportStore, archive_pages, write_adherence_pages
from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic, noon

AS_OF = date(2026, 11, 22)
PULLED = "TIMESTAMPTZ '2026-04-10 12:00:00Z'"
WORLD = (
    """INSERT INTO core.patients BY NAME SELECT 'c1' AS clinic_id, 'p' || i AS patient_id, 'Mia' AS first_name,
        'Stone ' || i AS last_name, false AS archived FROM range({patients}) AS t (i)""",
    f"""INSERT INTO history.treatment_plans BY NAME SELECT 'c1' AS clinic_id, 't' || i AS treatment_plan_id,
        'p' || i AS patient_id, 'active' AS state, DATE '2026-01-01' + (i % 90)::INTEGER AS available_at,
        available_at AS created_on, 'd' || (i % 10) AS practitioner_id, {PULLED} AS valid_from
        FROM range({{patients}}) AS t (i)""",
    f"""INSERT INTO history.recommendations BY NAME SELECT 'c1' AS clinic_id, 't' || i AS treatment_plan_id,
        k AS position, 'v' || k AS variant_id, true AS refill, CASE k WHEN 3 THEN '1-2' ELSE '2' END AS dosage_amount,
        'once per day' AS dosage_frequency, 'capsule' AS dosage_format, {PULLED} AS valid_from
        FROM range({{patients}}) AS t (i), range(5) AS u (k)""",
    """INSERT INTO core.orders BY NAME SELECT 'c1' AS clinic_id, i || '-' || k || '-' || m AS order_id,
        'p' || i AS patient_id, DATE '2026-02-01' + ((i * 7 + k * 3 + m * 31) % 280)::INTEGER AS completed_on,
        false AS is_refunded FROM range({patients}) AS t (i), range(5) AS u (k), range(6) AS w (m)""",
    """INSERT INTO core.order_line_items BY NAME SELECT 'c1' AS clinic_id, order_id, 0 AS position,
        'v' || split_part(order_id, '-', 2) AS variant_id, 1 AS quantity, 'supplement' AS line_type FROM core.orders""",
)


@contextmanager
def timed(what: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - begun:.1f} s")


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    clinic = Clinic()
    for number in range(5):
        clinic.product(f"product {number}", {f"v{number}": (60, "capsules")})
    for statement in WORLD:
        clinic.con.execute(statement.format(patients=patients))
    # As in a clinic's run; the memory limit there is FULLSCRIPT_MART_MEMORY_MB.
    clinic.con.execute(f"SET threads = {MART_THREADS}")
    with timed(f"mart of {patients:,} patients, {patients * 30:,} orders, {MART_THREADS} threads"):
        build_adherence(clinic.con, "c1", AS_OF)
    with timed("mart of 100 touched patients"):
        build_adherence(clinic.con, "c1", AS_OF, patient_ids=[f"p{number}" for number in range(100)])
    with tempfile.TemporaryDirectory() as folder:
        store, zone, moment = ReportStore(Path(folder)), ZoneInfo("UTC"), noon(AS_OF)
        with timed("pages, CSV and workbook"):
            written = write_adherence_pages(
                clinic.con,
                store,
                clinic_id="c1",
                as_of=AS_OF,
                rendered_at=moment,
                time_zone=zone,
                last_pull_at=moment,
            )
        with timed("kept ZIP"):
            kept = archive_pages(store, "green-hill", AS_OF, keep_days=1, today=AS_OF)
        sizes = {
            "clinic page": written.clinic_page,
            "CSV": store.path_for_export("green-hill"),
            "workbook": store.path_for_export("green-hill", "xlsx"),
            "ZIP": kept,
        }
        print(f"{written.patient_pages:,} patient pages; {written.bytes / 1e6:.1f} MB in all")
        print(", ".join(f"{name} {path.stat().st_size / 1e3:,.0f} kB" for name, path in sizes.items() if path))


if __name__ == "__main__":
    main()
