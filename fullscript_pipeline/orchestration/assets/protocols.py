"""What a clinic keeps for re-use, ids of other systems, webhook deliveries, and what is read on request only.

What does not belong here: how the tables are read (`extraction.pulls`).
"""

from collections.abc import Iterator

import dagster as dg

from fullscript_pipeline.extraction.pulls import optional_resources as extra_pulls
from fullscript_pipeline.extraction.pulls import protocols_and_resources as library_pulls
from fullscript_pipeline.orchestration.assets import asset_specs
from fullscript_pipeline.orchestration.assets.asset_steps import clinic_step, results
from fullscript_pipeline.orchestration.runtime import FullscriptResource, WarehouseResource, clinic_days

_PROTOCOLS = "GET /clinic/fullscript_protocols, GET /clinic/practitioners/{practitioner_id}/protocols"
_RESOURCES = "GET /clinic/fullscript_resources, GET /clinic/practitioners/{practitioner_id}/resources"
_ON_REQUEST = "Only with FULLSCRIPT_EXTRAS"
# table, what it is, endpoint, PHI, cadence
_TABLES = (
    (
        "protocols",
        "Plans kept for re-use, a practitioner's or Fullscript's (`owner`).",
        _PROTOCOLS,
        False,
        asset_specs.DAILY,
    ),
    ("protocol_recommendations", "What each protocol recommends.", _PROTOCOLS, False, asset_specs.DAILY),
    ("protocol_resources", "Documents attached to a protocol.", _PROTOCOLS, False, asset_specs.DAILY),
    ("protocol_lab_recommendations", "Lab panels of a protocol.", _PROTOCOLS, False, asset_specs.DAILY),
    ("practitioner_protocols", "Which practitioner is shown which protocol.", _PROTOCOLS, False, asset_specs.DAILY),
    ("resources", "Documents, a practitioner's or Fullscript's (`owner`).", _RESOURCES, False, asset_specs.DAILY),
    ("practitioner_resources", "Which practitioner keeps which document.", _RESOURCES, False, asset_specs.DAILY),
    ("external_ids", "Ids of other systems on people and plans.", "GET /clinic/metadata", True, asset_specs.DAILY),
    (
        "webhook_deliveries",
        "Attempts to deliver webhooks, of the last 30 days at first, then all that come.",
        "GET /webhooks/deliveries",
        True,
        asset_specs.DAILY,
    ),
    (
        "addresses",
        "Patients' addresses.",
        "GET /clinic/patients/{patient_id}/addresses",
        True,
        f"{_ON_REQUEST}: once per patient, then a rolling share",
    ),
    (
        "templates",
        "Templates, which the vendor is replacing by protocols.",
        "GET /clinic/practitioners/{practitioner_id}/templates",
        False,
        f"{_ON_REQUEST}: daily",
    ),
)


@dg.multi_asset(
    name="library",
    partitions_def=clinic_days,
    specs=[
        asset_specs.core(
            table,
            "clinical",
            what,
            endpoint,
            "patients:read" if table == "addresses" else "clinic:read",
            phi=phi,
            cadence=cadence,
            deps=["core/practitioners", "core/patients"],
        )
        for table, what, endpoint, phi, cadence in _TABLES
    ],
)
def library(
    context: dg.AssetExecutionContext, fullscript: FullscriptResource, warehouse: WarehouseResource
) -> Iterator[dg.MaterializeResult[None]]:
    with clinic_step(context, fullscript, warehouse) as (target, session, _):
        settings = fullscript.settings()
        reports = library_pulls.pull_library(target, session, settings.sweep_days)
        reports += extra_pulls.pull_clinic_extras(target, session, settings.extras, settings.sweep_days)
        yield from results(reports, [table for table, *_ in _TABLES])
