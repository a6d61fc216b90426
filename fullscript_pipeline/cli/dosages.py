"""What `report dosages` prints: why dosage texts of active plans could not be parsed, the most frequent reason first.

What does not belong here: the options (`cli.report`), and parsing dosages (`adherence`).
"""

from collections.abc import Sequence

from fullscript_pipeline.adherence import UnreadDosage, UnreadGroup, group_by_reason, unread_dosages
from fullscript_pipeline.cli.audited import STANDARD_OUTPUT, DataSubjects, audit_logged
from fullscript_pipeline.cli.clinic_selection import select_clinics
from fullscript_pipeline.cli.console import format_columns, print_data, print_message
from fullscript_pipeline.maintenance import open_warehouse
from fullscript_pipeline.plural import counted
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore


def list_dosages(settings: Settings, clinics: Sequence[str], limit: int) -> int:
    """Prints the texts of these clinics (none named: all), for at most `limit` reasons. Returns the exit code."""
    settings.prepare_data_dir()
    with StateStore.open(settings) as store:
        chosen = select_clinics(store, clinics)
    warehouse = open_warehouse(settings)
    with audit_logged(
        settings, "report dosages", whose=DataSubjects(clinics=chosen), destination=STANDARD_OUTPUT
    ) as record:
        with warehouse.read() as con:
            unread = unread_dosages(con, [clinic.clinic_id for clinic in chosen])
        record.rows = sum(dosage.lines for dosage in unread)
        return _print(unread, limit)


def _print(unread: Sequence[UnreadDosage], limit: int) -> int:
    if not unread:
        print_message("All dosage texts of the active plans in the warehouse could be parsed.")
        return 0
    groups = group_by_reason(unread)
    header = ["lines", "texts", "not read", "why", "for example"]
    print_data(format_columns(header, [_row(group) for group in groups[:limit]]))
    lines = sum(group.lines for group in groups)
    print_message(
        f"{counted(len(unread), 'text')} on {counted(lines, 'recommendation')} of active plans, for "
        f"{counted(len(groups), 'reason')}; {min(limit, len(groups)):,} shown."
    )
    return 0


def _row(group: UnreadGroup) -> tuple[object, ...]:
    example = group.example
    parts = (example.amount, example.format, example.frequency, example.duration, example.additional_info)
    text = " | ".join(_printable(part) or "-" for part in parts)
    return (
        group.lines,
        group.texts,
        example.what,
        _printable(example.reason),
        text if len(text) <= 100 else f"{text[:99]}…",
    )


def _printable(text: str | None) -> str:
    # Free text may hold line breaks and control characters; neither is sent to the terminal.
    return " ".join("".join(char if char.isprintable() else " " for char in text or "").split())
