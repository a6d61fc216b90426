"""Writes a clinic's lists: the call list and A to Z, both for each practitioner too, catalog news, the workbook.

Pages left over from longer lists are removed. What does not belong here: pages of patients (`reports.patient`), what is
in a list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fullscript_pipeline.reports.clinic_pages.call_list import PatientSnooze, build_call_list
from fullscript_pipeline.reports.clinic_pages.call_list_workbook import call_list_workbook
from fullscript_pipeline.reports.clinic_pages.catalog_news import load_catalog_news
from fullscript_pipeline.reports.clinic_pages.clinic_labs import load_lab_lines
from fullscript_pipeline.reports.clinic_pages.list_pages import (
    ListFrame,
    PatientSelection,
    render_call_list,
    render_catalog_news,
    render_directory,
)
from fullscript_pipeline.reports.clinic_pages.portal_file import portal_file
from fullscript_pipeline.reports.clinic_pages.roster import load_roster
from fullscript_pipeline.reports.clinic_pages.trend_chart import draw_trend
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.store import ReportStore, file_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ListsWritten:
    """The first page of the call list, and the bytes of all files."""

    page: Path
    bytes: int


def write_clinic_lists(
    con: duckdb.DuckDBPyConnection,
    store: ReportStore,
    context: PageContext,
    snoozes: Mapping[str, PatientSnooze],
) -> ListsWritten:
    """Writes every list of the clinic, and deletes pages left over from longer ones. `snoozes`: by patient."""
    key = context.clinic.clinic_key
    everybody = _everybody(con, context, snoozes)
    practitioners = list(_by_practitioner(everybody, context))
    frame = ListFrame(
        context=context,
        nav=[(f"practitioners/{selection.stem}.html", selection.practitioner or "") for _, selection in practitioners],
        places={practitioner_id: place for place, (practitioner_id, _) in enumerate(practitioners)},
    )
    folder = store.path_for_clinic(key).parent
    written, size = [], 0
    for selection in (everybody, *(selection for _, selection in practitioners)):
        place = folder if selection is everybody else folder / "practitioners"
        for render_pages in (render_call_list, render_directory, render_catalog_news):
            for name, html in render_pages(selection, frame):
                written.append(place / name)
                size += store.write(written[-1], html)
    store.remove_stale_pages(folder, written)
    store.remove_stale_pages(folder / "practitioners", written)
    size += store.write(store.path_for_call_list(key), call_list_workbook(everybody, context))
    size += store.write(store.path_for_portal(key), portal_file(con, everybody, context))
    return ListsWritten(page=written[0], bytes=size)


def _everybody(
    con: duckdb.DuckDBPyConnection, context: PageContext, snoozes: Mapping[str, PatientSnooze]
) -> PatientSelection:
    roster = load_roster(con, context)
    return PatientSelection(
        practitioner=None,
        stem="",
        up="",
        patients=roster,
        call_list=build_call_list(con, roster, context, snoozes),
        labs=load_lab_lines(con, roster, context),
        trend=draw_trend(con, context),
        news=load_catalog_news(con, roster, context),
    )


def _by_practitioner(everybody: PatientSelection, context: PageContext) -> Iterator[tuple[str, PatientSelection]]:
    """The part of each practitioner of the products shown, ordered by name; no figure compares them."""
    practitioner_ids = {ident for patient in everybody.patients for ident in patient.practitioner_ids}
    for ident in sorted(practitioner_ids, key=lambda ident: (context.practitioners.get(ident, ""), ident)):
        yield (
            ident,
            PatientSelection(
                practitioner=context.practitioners.get(ident) or context.language.gettext("Unnamed practitioner"),
                stem=file_id(ident),
                up="../",
                patients=[patient for patient in everybody.patients if ident in patient.practitioner_ids],
                call_list=everybody.call_list.of_practitioner(ident),
                labs=[lab for lab in everybody.labs if lab.practitioner_id == ident],
            ),
        )
