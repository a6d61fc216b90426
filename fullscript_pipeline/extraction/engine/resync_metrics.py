"""How many changes only re-reading found: `sweep_only_changes` of `ops.pulls`. What does not belong here: sweeping."""

from fullscript_pipeline.extraction.engine.pull import Pull


def record_reread_changes(pull: Pull, changes: int) -> None:
    """Adds the number to the row that `pull` has committed."""
    with pull.target.warehouse.write() as con:
        con.execute("UPDATE ops.pulls SET sweep_only_changes = ? WHERE pull_id = ?", [changes, pull.pull_id])
