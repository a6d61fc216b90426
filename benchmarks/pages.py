"""How long a clinic's adherence mart, pages, spreadsheet files and kept ZIP take, and how large they are.

PYTHONPATH=. python benchmarks/pages.py [PATIENTS]      five products and thirty orders a patient

First for a tenth of the patients, then for all: ten times as many pages should cost ten times as much. Creating a file
costs more in a folder of many, by a file system's own rules: TMPDIR=/dev/shm leaves that out.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from fullscript_pipeline.cli import lazy_imports

with lazy_imports.freeze_imports():  # as the command does that writes the pages
    from fullscript_pipeline.adherence import build_adherence
    from fullscript_pipeline.maintenance.page_rebuild import MART_THREADS
    from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
    from fullscript_pipeline.reports import (
        PagesWritten,
        ReportStore,
        archive_pages,
        load_page_context,
        write_adherence_pages,
    )
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
    begun, used = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - begun:.1f} s, {time.process_time() - used:.1f} CPU s")


def clinic_of(patients: int) -> Clinic:
    """A clinic with its mart. Threads as in a clinic's run; the memory limit there is FULLSCRIPT_MART_MEMORY_MB."""
    clinic = Clinic()
    clinic.con.execute(mart_ddl()[1])  # the catalog's, whose changes the clinic's pages name
    for number in range(5):
        clinic.product(f"product {number}", {f"v{number}": (60, "capsules")})
    for statement in WORLD:
        clinic.con.execute(statement.format(patients=patients))
    clinic.con.execute(f"SET threads = {MART_THREADS}")
    with timed(f"mart of {patients:,} patients, {patients * 30:,} orders, {MART_THREADS} threads"):
        build_adherence(clinic.con, "c1", AS_OF)
    return clinic


def write_pages(clinic: Clinic, store: ReportStore) -> tuple[PagesWritten, float]:
    """All pages, and the CPU seconds of them."""
    moment, used = noon(AS_OF), time.process_time()
    with timed("pages, CSV and workbooks"):
        context = load_page_context(
            clinic.con,
            clinic_id="c1",
            as_of=AS_OF,
            rendered_at=moment,
            time_zone=ZoneInfo("UTC"),
            last_pull_at=moment,
        )
        written = write_adherence_pages(clinic.con, store, context)
    return written, time.process_time() - used


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        # The first pages of a process also pay for compiling templates and catalogues.
        write_pages(clinic_of(1), ReportStore(Path(folder, "first")))
        few, cost_of_few = write_pages(clinic_of(max(1, patients // 10)), ReportStore(Path(folder, "few")))
        clinic, store = clinic_of(patients), ReportStore(Path(folder, "all"))
        with timed("mart of 100 touched patients"):
            build_adherence(clinic.con, "c1", AS_OF, patient_ids=[f"p{number}" for number in range(100)])
        written, cost = write_pages(clinic, store)
        with timed("kept ZIP"):
            kept = archive_pages(store, "green-hill", AS_OF, keep_days=1, today=AS_OF)
        sizes = {
            "clinic page": written.clinic_page,
            "CSV": store.path_for_export("green-hill"),
            "workbook": store.path_for_export("green-hill", "xlsx"),
            "ZIP": kept,
        }
        print(f"{written.patient_pages:,} patient pages; {written.bytes / 1e6:.1f} MB in all")
        print(
            f"{cost / written.patient_pages * 1000:.2f} CPU ms a page; {written.patient_pages:,} cost "
            f"{cost / cost_of_few:.1f} times {few.patient_pages:,}"
        )
        print(", ".join(f"{name} {path.stat().st_size / 1e3:,.0f} kB" for name, path in sizes.items() if path))


if __name__ == "__main__":
    main()
