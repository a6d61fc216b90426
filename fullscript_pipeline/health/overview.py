"""What operators see in the portal: how current each clinic and catalog is, and what every check finds.

The portal opens neither the state store nor the warehouse: this file beside the pages is all that it reads
(`web.operators_file`). It names clinics, never a person. What does not belong here: who may see it, HTML.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import duckdb
import orjson

from fullscript_pipeline import clock
from fullscript_pipeline.errors import PipelineError
from fullscript_pipeline.health.finding import Finding
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import Clinic, StateStore
from fullscript_pipeline.warehouse import warehouse_of
from fullscript_pipeline.warehouse.loading import pull_log

# A portal refuses a file of another version.
VERSION = 1
_LOCK_SECONDS = 60.0


def operators_file(settings: Settings, findings: Sequence[Finding]) -> bytes:
    """The file's JSON. `findings`: of every check, as `doctor` prints them."""
    with StateStore.open(settings, read_only=True) as store:
        clinics = store.clinics.all(with_removed=True)
    pulled, catalogs = _read_times(settings, clinics)
    content = {
        "version": VERSION,
        "written_at": clock.real_now().isoformat(),
        "clinics": list(_clinics(clinics, pulled)),
        "catalogs": [{"region": region, "read_at": _text(at)} for region, at in catalogs.items()],
        "findings": [finding.as_json() for finding in findings],
    }
    return orjson.dumps(content)


def _read_times(
    settings: Settings, clinics: Sequence[Clinic]
) -> tuple[dict[str, datetime], dict[str, datetime | None]]:
    """When each clinic was last read completely, and each region's catalog. What cannot be read is left out."""
    regions = sorted({clinic.region for clinic in clinics if clinic.status != "removed"})
    try:
        warehouse = warehouse_of(settings, lock_wait=_LOCK_SECONDS)
        if not warehouse.exists():
            return {}, dict.fromkeys(regions)
        with warehouse.read() as con:
            return pull_log.last_full_loads(con), {
                region: pull_log.last_products_read(con, region, refusals=True) for region in regions
            }
    except (PipelineError, duckdb.Error):
        return {}, {}


def _clinics(clinics: Sequence[Clinic], pulled: dict[str, datetime]) -> Iterator[dict[str, Any]]:
    for clinic in clinics:
        yield {
            "clinic_key": clinic.clinic_key,
            "region": clinic.region,
            "server": clinic.server,
            "status": clinic.status,
            "connected_at": _text(clinic.connected_at),
            "pulled_at": _text(pulled.get(clinic.clinic_id)),
        }


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
