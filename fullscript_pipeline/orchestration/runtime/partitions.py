"""The partitions: clinic and day for a clinic's tables, marts and pages; region and day for the catalog and its digest.

What does not belong here: which partition is due (`schedules`), and what runs in it.
"""

from datetime import date

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import read_first_connection_day

clinics = dg.DynamicPartitionsDefinition(name="clinics")
regions = dg.StaticPartitionsDefinition(list(REGIONS))


def first_day(settings: Settings) -> date:
    """The first day that a partition can be of: FULLSCRIPT_START_DATE, else the day of the first connection."""
    if settings.start_date:
        return settings.start_date
    today = clock.today(settings.time_zone)
    # A clock that was set back is before the connection.
    return min(today, read_first_connection_day(settings.state_address, settings.time_zone) or today)


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """Days of the settings' time zone, from the first connection up to and including the clock's today.

    Dagster only knows real days; the offset lets a demo's clock run ahead or behind.
    """
    zone = settings.time_zone
    return dg.DailyPartitionsDefinition(
        start_date=first_day(settings).isoformat(), timezone=str(zone), end_offset=1 + clock.days_ahead(zone)
    )


def clinic_days(settings: Settings) -> dg.MultiPartitionsDefinition:
    return dg.MultiPartitionsDefinition({"clinic": clinics, "day": daily_partitions(settings)})


def region_days(settings: Settings) -> dg.MultiPartitionsDefinition:
    return dg.MultiPartitionsDefinition({"region": regions, "day": daily_partitions(settings)})


def clinic_partition(clinic_key: str, day: date) -> dg.MultiPartitionKey:
    return dg.MultiPartitionKey({"clinic": clinic_key, "day": day.isoformat()})


def region_partition(region: str, day: date) -> dg.MultiPartitionKey:
    return dg.MultiPartitionKey({"region": region, "day": day.isoformat()})


def partition_tags(partition: str | None) -> dict[str, str]:
    """The tags with which Dagster records the partition of a run."""
    if partition is None:
        return {}
    tags = {"dagster/partition": str(partition)}
    if isinstance(partition, dg.MultiPartitionKey):
        tags |= {f"dagster/partition/{name}": key for name, key in partition.keys_by_dimension.items()}
    return tags
