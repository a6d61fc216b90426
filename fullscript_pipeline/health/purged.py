"""Who was purged and is kept out; and whether somebody is held all the same, because an older backup was restored.

What does not belong here: purging (`orchestration.purging`).
"""

from collections.abc import Iterator, Sequence

import duckdb

from fullscript_pipeline.health.finding import Finding, failed, passed
from fullscript_pipeline.plural import counted
from fullscript_pipeline.state import Clinic, StateStore


def check_purged(con: duckdb.DuckDBPyConnection, store: StateStore) -> Iterator[Finding]:
    """Nothing to say where nobody was purged."""
    kept_out = store.purged_count()
    if not kept_out:
        return
    held = purged_but_held(con, store)
    if not held:
        yield passed(
            "warehouse.purged", f"{counted(kept_out, 'purged person', 'purged people')} kept out of every pull"
        )
        return
    commands = "; ".join(f"`fullscript-pipeline purge --patient {clinic.clinic_key} {one}`" for clinic, one in held[:5])
    what = f"purged, and held again from a backup that was restored: {counted(len(held), 'person', 'people')}"
    yield failed("warehouse.purged", what, f"Run {commands}{' ...' if len(held) > 5 else '.'}")


def purged_but_held(con: duckdb.DuckDBPyConnection, store: StateStore) -> Sequence[tuple[Clinic, str]]:
    """The stored patients who were purged, by clinic."""
    found = []
    for clinic in store.clinics(with_removed=True):
        if (kept_out := store.purged_ids_of(clinic)) is None:
            continue
        rows = con.execute("SELECT patient_id FROM core.patients WHERE clinic_id = ?", [clinic.clinic_id]).fetchall()
        found += [(clinic, patient) for (patient,) in rows if patient in kept_out]
    return found
