"""Recognises that nothing changed since a clinic's rows and pages of a day were made: then none is written again.

The digest is of all that rows and pages are made from. It is stored in the state store after they are written. What
does not belong here: making rows or pages (`page_rebuild`).
"""

import hashlib
from collections.abc import Sequence
from datetime import date

import duckdb

from fullscript_pipeline import __version__
from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.lookups import content_digest

# Deliveries of webhooks are on no page, and every pull may list new ones.
_READ_TABLES = tuple(table for table in ALL_TABLES if table.name != "webhook_deliveries")
# What rows and pages read beside the described tables.
_DERIVED = """
    SELECT (SELECT (count(*), sum(hash(variant_id, outcome))) FROM core.clinic_variants WHERE clinic_id = $clinic),
        (SELECT (count(*), sum(hash(category_id, product_id, valid_from, valid_to, removed_at)))
            FROM history.category_memberships WHERE clinic_id = $clinic),
        (SELECT (count(*), sum(hash(changed_on, entity_id, field, new_value)))
            FROM marts.catalog_changes WHERE region = $region),
        (SELECT (count(*), sum(hash(treatment_plan_id, name))) FROM marts.unordered_panels WHERE clinic_id = $clinic)"""


def inputs_digest(
    con: duckdb.DuckDBPyConnection, settings: Settings, clinic: ClinicRef, day: date, choices: Sequence[object] = ()
) -> str:
    """A digest of all that the clinic's rows of a day are made from; with `choices` of its pages, too."""
    tables = content_digest(con, _READ_TABLES, clinic=clinic.clinic_id, region=clinic.region)
    derived = con.execute(_DERIVED, {"clinic": clinic.clinic_id, "region": clinic.region}).fetchone()
    texts = (__version__, day, settings.adherence, settings.time_zone, tables, derived, *choices)
    return hashlib.sha256("\n".join(map(repr, texts)).encode()).hexdigest()[:32]


def stored_digest(settings: Settings, clinic: ClinicRef, what: str) -> str:
    """The digest of what a clinic's `rows` or `pages` were made from; empty when none is stored."""
    with StateStore.open(settings) as store:
        return store.facts.get(_fact(clinic, what)) or ""


def store_digest(settings: Settings, clinic: ClinicRef, what: str, digest: str) -> None:
    """Stores it, after they were written."""
    with StateStore.open(settings) as store:
        store.facts.set(_fact(clinic, what), digest)


def _fact(clinic: ClinicRef, what: str) -> str:
    return f"digest_of_{what}:{clinic.server}:{clinic.clinic_id}"
