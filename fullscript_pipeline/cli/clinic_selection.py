"""Selects the clinics that a command is about. What does not belong here: what a command does with them."""

from collections.abc import Sequence
from pathlib import Path

from fullscript_pipeline.errors import NeedsConnect, UsageError
from fullscript_pipeline.settings import WAREHOUSE_FILE
from fullscript_pipeline.state import Clinic, StateStore


def select_clinics(store: StateStore, named: Sequence[str]) -> list[Clinic]:
    """The clinics named by key or id, each once; all when none is named.

    Raises UsageError for an unknown name, NeedsConnect when no clinic is connected.
    """
    chosen = [store.clinics.find(name) for name in dict.fromkeys(named)] if named else store.clinics.all()
    if not chosen:
        raise NeedsConnect(no_clinic_message(store.data_dir, store))
    return chosen


def find_known_clinic(store: StateStore, id_or_key: str) -> Clinic:
    """The clinic, also when it is disconnected: its data are still here. Raises UsageError for an unknown name."""
    known = store.clinics.all(with_removed=True)
    matches = [clinic for clinic in known if id_or_key.strip() in {clinic.clinic_key, clinic.clinic_id}]
    if len(matches) != 1:
        keys = ", ".join(clinic.clinic_key for clinic in known) or "none"
        raise UsageError(f"There is no clinic {id_or_key!r}, or several have that id; known clinics: {keys}.")
    return matches[0]


def no_clinic_message(data_dir: Path, store: StateStore | None) -> str:
    """Names the data directory, because another one may be meant; or says that the state store was lost."""
    has_had_clinics = store and (store.clinics.all(with_removed=True) or store.facts.has_had_clinics())
    if (data_dir / WAREHOUSE_FILE).exists() and not has_had_clinics:
        return (
            f"The state store in {data_dir} knows no clinic, but there is a warehouse beside it: the store was lost "
            "or replaced. Run `fullscript-pipeline restore FROM --force` to restore a backup of both. Without a "
            "backup, run `fullscript-pipeline connect ENV` for each clinic again: its rows are found by the vendor's "
            "ids."
        )
    return (
        f"No clinic is connected in {data_dir}: run `fullscript-pipeline connect ENV`, or set FULLSCRIPT_DATA_DIR to "
        "the folder that holds the clinics."
    )
