"""Records how many changes only re-reading found (`ops.pulls.sweep_only_changes`).

What does not belong here: re-reading (`extraction.pulls`).
"""

from fullscript_pipeline.extraction.engine.pull import Pull


def record_reread_changes(pull: Pull, changes: int) -> None:
    """Writes the number to the row that `pull` has committed."""
    with pull.target.warehouse.write() as con:
        con.execute("UPDATE ops.pulls SET sweep_only_changes = ? WHERE pull_id = ?", [changes, pull.pull_id])
