"""What `report dosages` lists: why dosage texts of active plans could not be read, the most frequent reason first.

What does not belong here: the options (`cli.report`), and reading dosages (`adherence`).
"""

from collections.abc import Sequence

from fullscript_pipeline.adherence import UnreadDosage, UnreadGroup, group_by_reason, unread_dosages
from fullscript_pipeline.cli.audited import STANDARD_OUTPUT, Whose, recorded
from fullscript_pipeline.cli.clinic_selection import chosen_clinics
from fullscript_pipeline.cli.console import data, table, talk
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore


def list_dosages(clinics: Sequence[str], limit: int) -> int:
    """Those of these clinics (none named: all), at most `limit` reasons. Returns the exit code."""
    settings = load_settings()
    settings.prepare_data_dir()
    with StateStore(settings.state_path, settings.encryption_key) as store:
        chosen = chosen_clinics(store, clinics)
    warehouse = open_warehouse()
    with recorded(settings, "report dosages", whose=Whose(chosen), destination=STANDARD_OUTPUT) as record:
        with warehouse.read() as con:
            found = unread_dosages(con, [clinic.clinic_id for clinic in chosen])
        record.rows = sum(one.lines for one in found)
        return _print(found, limit)


def _print(found: Sequence[UnreadDosage], limit: int) -> int:
    if not found:
        talk("Every dosage text of the active plans that the warehouse holds could be read.")
        return 0
    groups = group_by_reason(found)
    header = ["lines", "texts", "not read", "why", "for example"]
    data(table(header, [_row(group) for group in groups[:limit]]))
    lines = sum(group.lines for group in groups)
    talk(
        f"{counted(len(found), 'text')} on {counted(lines, 'recommendation')} of active plans, for "
        f"{counted(len(groups), 'reason')}; {min(limit, len(groups)):,} shown."
    )
    return 0


def _row(group: UnreadGroup) -> tuple[object, ...]:
    one = group.example
    parts = (one.amount, one.format, one.frequency, one.duration, one.additional_info)
    text = " | ".join(_printable(part) or "-" for part in parts)
    return group.lines, group.texts, one.what, _printable(one.reason), text if len(text) <= 100 else f"{text[:99]}…"


def _printable(text: str | None) -> str:
    # Free text may hold line ends and control characters; a terminal gets neither.
    return " ".join("".join(char if char.isprintable() else " " for char in text or "").split())
