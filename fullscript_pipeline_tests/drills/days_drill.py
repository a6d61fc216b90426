"""The days of a clinic, one after the other, wherever the settings keep state, files and warehouse.

What does not belong here: which settings, and what must be the same.
"""

from pathlib import Path

from fullscript_pipeline import clock
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.orchestration.runtime import console_logging
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import add_clinic_partitions, open_instance
from fullscript_pipeline.orchestration.runtime.partitions import clinic_partition, region_partition
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.table_hash import Hashes, table_hashes


def tables_after(folder: Path, *, days: int, patients: int, products: int) -> Hashes:
    """Does what the schedules request each day, with a sandbox that is the same for everybody.

    Returns hashes of every table of data.
    """
    console_logging.quiet()
    with (
        connected_pipeline(folder, clinics=1, world_clinics=1, patients=patients, products=products) as connected,
        open_instance(connected.settings) as instance,
    ):
        add_clinic_partitions(instance, connected.store)
        (clinic,) = connected.store.clinics.all()
        for number in range(days):
            if number:
                connected.sandbox.control.advance(days=1)
                connected.set_clock()
            day = clock.today(connected.settings.time_zone)
            jobs = {
                "catalog_daily": region_partition(clinic.region, day),
                "clinic_daily": clinic_partition(clinic.clinic_key, day),
                **({"lake_upkeep": None} if connected.settings.lake_catalog else {}),
            }
            for job, partition in jobs.items():
                failures = run_job(instance, job, partition=partition).failures
                assert failures == (), (job, partition, failures)
        return table_hashes(open_warehouse(connected.settings), schemas=("core", "history", "marts"))
