"""Removes landed pages after their retention time, for the daily run and `tidy`.

What does not belong here: for how many days they are kept (`state.landing_days`).
"""

from datetime import timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore, landing_days
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.files import Tidied, open_shared_landing, tidy_landing, tidy_shared_landing
from fullscript_pipeline.warehouse.loading import quarantine


def days_kept(settings: Settings) -> int:
    """The days that landed pages of this data directory are kept; 0: for ever."""
    with StateStore.open(settings) as store:
        return landing_days(settings, store.facts)


def remove_old_landing(
    settings: Settings, warehouse: Warehouse, *, clinic: ClinicRef | None = None, only_look: bool = False
) -> Tidied:
    """Removes what is older, but no day of which a record is still in quarantine: its page says how it came.

    `clinic`: in a bucket, only the pages of this clinic and its region, as its daily run does.
    """
    days = days_kept(settings)
    if not days:
        return Tidied()
    quarantined: frozenset[tuple[str, str]] = frozenset()
    if warehouse.exists():
        with warehouse.read() as con:
            quarantined = quarantine.landed_days(con)
    today = clock.today(settings.time_zone)
    tidied = tidy_landing(settings.landing_dir, days, today, kept=quarantined, only_look=only_look)
    if settings.state_url and (shared := open_shared_landing(settings)):
        owners = [f"{clinic.server}/{owner}" for owner in (clinic.clinic_key, clinic.region)] if clinic else None
        first = today - timedelta(days=days)
        return tidied.plus(tidy_shared_landing(shared, first, owners=owners, kept=quarantined, only_look=only_look))
    return tidied
