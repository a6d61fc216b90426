"""Checks that no purged person is stored again, for example because an older backup was restored.

What does not belong here: purging (`maintenance.erasure`).
"""

from collections.abc import Iterator, Sequence

import duckdb

from fullscript_pipeline.health.finding import Finding, failed, passed
from fullscript_pipeline.plural import counted
from fullscript_pipeline.state import Clinic, StateStore


def check_purged(con: duckdb.DuckDBPyConnection, store: StateStore) -> Iterator[Finding]:
    """No finding when nobody was purged."""
    purged_count = store.purged.count()
    if not purged_count:
        return
    stored = stored_purged_patients(con, store)
    if not stored:
        yield passed(
            "warehouse.purged", f"{counted(purged_count, 'purged person', 'purged people')} kept out of every pull"
        )
        return
    commands = "; ".join(
        f"`fullscript-pipeline purge --patient {clinic.clinic_key} {patient_id}`" for clinic, patient_id in stored[:5]
    )
    what = f"{counted(len(stored), 'purged person', 'purged people')} stored again from a restored backup"
    yield failed("warehouse.purged", what, f"Run {commands}{' ...' if len(stored) > 5 else '.'}")


def stored_purged_patients(con: duckdb.DuckDBPyConnection, store: StateStore) -> Sequence[tuple[Clinic, str]]:
    """The stored patients who were purged, by clinic."""
    stored = []
    for clinic in store.clinics.all(with_removed=True):
        if (purged_ids := store.purged.ids_of(clinic)) is None:
            continue
        rows = con.execute("SELECT patient_id FROM core.patients WHERE clinic_id = ?", [clinic.clinic_id]).fetchall()
        stored += [(clinic, patient_id) for (patient_id,) in rows if patient_id in purged_ids]
    return stored
