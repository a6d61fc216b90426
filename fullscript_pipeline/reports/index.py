"""Writes the index page: links to the call list of each clinic and the digests of each region in the store.

The page holds no health data. What does not belong here: figures.
"""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from fullscript_pipeline.reports.language import page_language
from fullscript_pipeline.reports.store import ReportStore, file_id
from fullscript_pipeline.reports.templating import render


def write_index(
    store: ReportStore,
    *,
    rendered_at: datetime,
    time_zone: ZoneInfo,
    clinic_names: Mapping[str, str] | None = None,
    past: date | None = None,
    language: str = "en",
) -> Path:
    """Write `<root>/index.html`.

    `clinic_names`: by clinic_key; a clinic without a name is shown by its key. `past`: the day, if the store is that of
    an earlier day (`ReportStore.of_day`).
    """
    words = page_language(language)
    names = {file_id(key): name for key, name in (clinic_names or {}).items()}
    days = {region: store.digest_days(region) for region in store.regions()}
    html = render(
        "index.html.j2",
        words,
        rendered_text=words.moment_with_zone(rendered_at, time_zone),
        clinics=[(f"clinics/{key}/index.html", names.get(key, key)) for key in store.clinic_keys()],
        past=past,
        earlier=store.earlier_days(),
        regions=[(region, next(iter(digest_days), None), len(digest_days)) for region, digest_days in days.items()],
    )
    path = store.path_for_index()
    store.write(path, html)
    return path
