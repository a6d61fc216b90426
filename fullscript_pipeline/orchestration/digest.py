"""Rebuilding a region's change table and writing its digest page.

What does not belong here: change detection (`catalog`) and the page (`reports`).
"""

from datetime import date
from typing import Any

import dagster as dg

from fullscript_pipeline import clock
from fullscript_pipeline.catalog import build_catalog_changes
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.reports import ReportStore, write_catalog_digest
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse.connection import Warehouse


def rebuild_changes(warehouse: Warehouse, region: str) -> int:
    """Rows of `marts.catalog_changes` written for the region."""
    with warehouse.write() as con:
        return build_catalog_changes(con, region, time_zone=load_settings().time_zone)


def write_digest(warehouse: Warehouse, store: ReportStore, region: str, day: date) -> dict[str, Any]:
    """The digest of `day` against the day observed before it; its counts as metadata.

    Raises PipelineError when so much changed at once that it is held: probably a fault, and nobody should act on it.
    """
    with warehouse.read() as con:
        written = write_catalog_digest(
            con,
            store,
            region=region,
            to_day=day,
            rendered_at=clock.now(),
            time_zone=load_settings().time_zone,
        )
    if written.held:
        raise PipelineError(f"The catalog digest of {region}, {day}, is held: {written.held}")
    return {
        **{f"lane_{name.replace(' ', '_')}": count for name, count in written.counts.items()},
        "page": dg.MetadataValue.path(str(written.path)),
    }
