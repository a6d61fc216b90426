"""Which clinics a command is about. What does not belong here: what it does with them."""

from collections.abc import Sequence
from pathlib import Path

from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.state import Clinic, StateStore


def chosen_clinics(store: StateStore, named: Sequence[str]) -> list[Clinic]:
    """The clinics named by key or id, each once; all when none is named.

    Raises UsageError for a name that is no clinic's, NeedsConnect when nobody is connected.
    """
    chosen = [store.clinic(one) for one in dict.fromkeys(named)] if named else store.clinics()
    if not chosen:
        raise NeedsConnect(nobody_in(store.db.path.parent))
    return chosen


def nobody_in(data_dir: Path) -> str:
    """Where was looked, because another folder may be the one that was meant."""
    return (
        f"No clinic is connected in {data_dir}: run `fullscript-pipeline connect ENV`, or set FULLSCRIPT_DATA_DIR to "
        "the folder that has them."
    )
