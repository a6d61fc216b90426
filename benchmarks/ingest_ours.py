"""Ours: session, budget, landing, hash, lock, checkpoint, merge, history of pulls; Dagster's start-up apart.

python benchmarks/ingest_ours.py URL DATA_DIR [LANE]      FULLSCRIPT_ENCRYPTION_KEY seals the landing and the warehouse
"""

import os
import sys
from datetime import timedelta
from typing import cast

from ingest_measure import Measured

from fullscript_pipeline.cli import lazy_imports

with lazy_imports.freeze_imports():
    from fullscript_pipeline import clock
    from fullscript_pipeline.api import Grant, Priority, open_session
    from fullscript_pipeline.extraction.engine.pull import Target
    from fullscript_pipeline.extraction.pulls import clinic, orders
    from fullscript_pipeline.settings import Settings, load_settings
    from fullscript_pipeline.state import Clinic, StateStore
    from fullscript_pipeline.warehouse.connection import Warehouse
    from fullscript_pipeline.warehouse.upgrades.migrations import migrate


def settings_for(url: str, data_dir: str) -> Settings:
    """A server that grants whatever it is asked."""
    os.environ |= {
        "FULLSCRIPT_US_SND_CLIENT_ID": "id",
        "FULLSCRIPT_US_SND_CLIENT_SECRET": "secret",
        "FULLSCRIPT_US_SND_API_URL": url,
        "FULLSCRIPT_DATA_DIR": data_dir,
    }
    os.environ.setdefault("FULLSCRIPT_REQUESTS_PER_5_MIN", "4750")
    settings = load_settings()
    settings.prepare_data_dir()
    return settings


def connected(store: StateStore) -> Clinic:
    """A clinic with a grant, as `connect` would leave it."""
    if known := store.clinics.all():
        return known[0]
    made = store.clinics.register("us-snd", "c1", "us", "Bench")
    now = clock.real_now()
    store.tokens.save_grant(
        made,
        Grant(
            user_id="u1",
            user_type="Staff",
            scopes=(),
            obtained_at=now,
            expires_at=now + timedelta(hours=2),
            access_token="access",  # noqa: S106 - of a mock server
            refresh_token="refresh",  # noqa: S106
        ),
    )
    return made


def main(url: str, data_dir: str, priority: str = "present") -> None:
    settings = settings_for(url, data_dir)
    warehouse = Warehouse(settings.warehouse_path, settings.warehouse_key)
    migrate(warehouse, [])
    with Measured(), StateStore(settings.state_path, settings.encryption_key) as store:
        one = connected(store)
        day = clock.today(settings.time_zone)
        target = Target(
            warehouse=warehouse,
            landing_dir=settings.landing_dir,
            encryption_key=settings.warehouse_key,
            server=one.server,
            region=one.region,
            day=day,
            run_id="run",
            clinic=one,
        )
        with open_session(settings, store, one, priority=cast(Priority, priority)) as session:
            for report in (orders.pull_orders(target, session), clinic.pull_patients(target, session)):
                print(f"  {report.resource}: {report.requests} requests, {report.counts}", file=sys.stderr)


if __name__ == "__main__":
    with lazy_imports.hide_package("pandas"):  # as every command does
        main(*sys.argv[1:])
