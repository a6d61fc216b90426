"""What a clinic's day costs among many clinics in the file, beside the same day of the clinic alone.

    python benchmarks/night.py [CLINICS] [PATIENTS] [RUNS]

The other clinics are copies of the first one's rows under other clinic ids. The day is one on which nothing changed,
as a process of its own; the median of RUNS counts. Prints CPU seconds and their ratio.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fullscript_pipeline.maintenance import open_warehouse  # noqa: E402
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline  # noqa: E402

PULL = [sys.executable, "-m", "fullscript_pipeline", "pull"]
_COPIED_SCHEMAS = ("core", "history", "marts", "ops")
# What belongs to the clinic gets the number of the copy behind its id; the catalog's ids are common to all.
_OWN_IDS = ("clinic_id", "patient_id", "order_id", "treatment_plan_id", "lab_order_id", "practitioner_id", "event_id")


def day(connected: Connected, runs: int) -> float:
    """The median of the CPU seconds of `pull` of the one clinic."""
    command = [*PULL, "--clinic", connected.store.clinics.all()[0].clinic_key]
    return statistics.median(cpu_seconds(command) for _ in range(runs))


def cpu_seconds(command: list[str]) -> float:
    """CPU seconds of a process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def copy_clinics(connected: Connected, copies: int) -> int:
    """Adds copies of the clinic's rows, one clinic after the other; returns the rows of the file."""
    rows = 0
    with open_warehouse(connected.settings).write() as con:
        (clinic,) = con.execute("SELECT clinic_id FROM core.clinics").fetchone() or ("",)
        tables = con.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'warehouse' "
            f"AND schema_name IN {_COPIED_SCHEMAS} ORDER BY ALL"
        ).fetchall()
        for schema, table in tables:
            names = [name for name, *_ in con.execute(f"DESCRIBE {schema}.{table}").fetchall()]
            if "clinic_id" in names:
                own = ", ".join(f"{name} || '-' || copy AS {name}" for name in names if name in _OWN_IDS)
                con.execute(
                    f"INSERT INTO {schema}.{table} SELECT t.* REPLACE ({own}) FROM range(?) AS numbers(copy), "
                    f"(FROM {schema}.{table} WHERE clinic_id = ?) t ORDER BY copy",
                    [copies, clinic],
                )
            (count,) = con.execute(f"SELECT count(*) FROM {schema}.{table}").fetchone() or (0,)
            rows += count
    return rows


def main(clinics: int = 500, patients: int = 215, runs: int = 3) -> None:
    """Measures the day alone, adds the others, measures it again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        connected_pipeline(Path(folder), clinics=1, patients=patients, products=320, history_days=365) as connected,
    ):
        definitions = [sys.executable, "-c", "import fullscript_pipeline.definitions"]
        cpu_seconds(definitions)
        imports = statistics.median(cpu_seconds(definitions) for _ in range(runs))
        first = cpu_seconds(PULL)
        day(connected, 1)
        alone = day(connected, runs)
        rows = copy_clinics(connected, clinics - 1)
        among = day(connected, runs)
        size = connected.settings.warehouse_path.stat().st_size / 2**20
        print(f"imports: {imports:.2f} CPU s")
        print(f"the first day, catalog included: {first:.2f} CPU s; a day without changes, alone: {alone:.2f} CPU s")
        print(f"among {clinics} clinics ({rows:,} rows, {size:,.0f} MiB): {among:.2f} CPU s, {among / alone:.2f} times")
    print(f"load while measuring: {os.getloadavg()[0]:.1f}, processors: {os.cpu_count()}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
