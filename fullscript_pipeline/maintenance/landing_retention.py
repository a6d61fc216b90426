"""Removes landed pages after their retention time, for the daily run and `tidy`.

What does not belong here: for how many days they are kept (`state.landing_days`).
"""

from fullscript_pipeline import clock
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore, landing_days
from fullscript_pipeline.warehouse import Warehouse
from fullscript_pipeline.warehouse.files import Tidied, tidy_landing
from fullscript_pipeline.warehouse.loading import quarantine


def days_kept(settings: Settings) -> int:
    """The days that landed pages of this data directory are kept; 0: for ever."""
    with StateStore.open(settings) as store:
        return landing_days(settings, store.facts)


def remove_old_landing(settings: Settings, warehouse: Warehouse, *, only_look: bool = False) -> Tidied:
    """Removes what is older, but no day of which a record is still in quarantine: its page says how it came."""
    days = days_kept(settings)
    if not days:
        return Tidied()
    quarantined: frozenset[tuple[str, str]] = frozenset()
    if warehouse.exists():
        with warehouse.read() as con:
            quarantined = quarantine.landed_days(con)
    today = clock.today(settings.time_zone)
    return tidy_landing(settings.landing_dir, days, today, kept=quarantined, only_look=only_look)
