"""The call list as an Excel workbook, with empty columns for the clinic's own use; its last column is Fullscript's id.

What does not belong here: how a cell is made safe (`reports.workbooks`), who is on the list (`call_list`).
"""

from collections.abc import Sequence

from fullscript_pipeline.reports.clinic_pages.call_list import CallListEntry
from fullscript_pipeline.reports.clinic_pages.list_pages import PatientSelection
from fullscript_pipeline.reports.clinic_pages.roster import RosterPatient
from fullscript_pipeline.reports.export import about_sentences
from fullscript_pipeline.reports.language import translatable
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.workbooks import SafeWorkbook

_PATIENT = (
    translatable("patient"), translatable("born"), translatable("practitioner"), translatable("contact"),
    translatable("guardian"),
)  # fmt: skip
_BY_HAND = (translatable("called on"), translatable("result"), translatable("note"), translatable("patient id"))
_LIST = (
    translatable("status"), translatable("days late"), translatable("days waiting"), translatable("product"),
    translatable("last ordered"), translatable("next step"), translatable("new since Monday"),
    translatable("set aside until"), translatable("why set aside"),
)  # fmt: skip
_LABS = (translatable("lab order"), translatable("next step"), translatable("since"))
_AS_NEEDED = (translatable("product"), translatable("last ordered"))
_WIDTHS = {"patient": 24, "practitioner": 22, "contact": 32, "guardian": 40, "status": 24, "product": 30}
_WIDTHS |= {"next step": 60, "result": 30, "note": 40, "lab order": 30, "since": 30, "why set aside": 30}


def call_list_workbook(everybody: PatientSelection, context: PageContext) -> bytes:
    """Sheets: the call list (who is set aside last), labs to act on, products taken as needed, and what it is about."""
    language = context.language
    book = SafeWorkbook(language.gettext("Call list"), context.rendered_at)
    changes = everybody.call_list.changes
    entries = [*everybody.call_list.entries, *everybody.call_list.snoozed]
    rows: list[tuple[tuple[str, ...], str, list[tuple[object, ...]]]] = [
        (_LIST, translatable("call list"), [_entry_cells(entry, context, bool(changes)) for entry in entries]),
        (_LABS, translatable("labs"), [_cells(lab.patient, (lab.name, lab.step, lab.since)) for lab in everybody.labs]),
        (
            _AS_NEEDED,
            translatable("as needed"),
            [_cells(patient, (product.name, product.row.last_order_on)) for patient, product in everybody.as_needed],
        ),
    ]
    for columns, sheet, cells in rows:
        names = [*_PATIENT, *columns, *_BY_HAND]
        widths = {language.gettext(name): _WIDTHS[name] for name in names if name in _WIDTHS}
        book.add_table(language.gettext(sheet), [language.gettext(name) for name in names], cells, widths)
    book.add_sentences(language.gettext("about"), about_sentences(context))
    return book.content()


def _entry_cells(entry: CallListEntry, context: PageContext, knows_monday: bool) -> tuple[object, ...]:
    language, is_late = context.language, entry.verdict.key != "never"
    product = entry.patient.products[0].row
    yes_or_no = language.gettext("yes") if entry.is_new else language.gettext("no")
    return _cells(
        entry.patient,
        (
            language.gettext(entry.verdict.words),
            entry.days if is_late else None,
            None if is_late else entry.days,
            product.product_name,
            product.last_order_on,
            entry.step,
            yes_or_no if knows_monday else None,
            entry.snooze.until if entry.snooze else None,
            entry.snooze.note if entry.snooze else None,
        ),
    )


def _cells(patient: RosterPatient, values: Sequence[object]) -> tuple[object, ...]:
    """The patient, these values, three empty cells, and the id."""
    return (
        patient.name,
        patient.date_of_birth,
        patient.practitioner,
        patient.contact,
        patient.guardian,
        *values,
        None,
        None,
        None,
        patient.patient_id,
    )
