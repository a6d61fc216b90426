"""Fills in the object of a stored event when it becomes known later.

It comes from the payload of a webhook or a delivery, or from the variants of a product event once their product is
stored. Nothing is guessed: an event that names two objects gets none. What does not belong here: reading details
(`event_feeds`).
"""

from collections.abc import Mapping

import duckdb

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.extraction.event_proof.event_parsing import VARIANT
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import Warehouse

_SET_OBJECTS = """UPDATE core.events AS e SET resource_id = new.object_id
FROM (SELECT unnest($events::VARCHAR[]) AS event_id, unnest($objects::VARCHAR[]) AS object_id) AS new
WHERE e.event_id = new.event_id AND e.resource_id IS NULL AND (e.clinic_id = $clinic OR e.clinic_id IS NULL)"""

_SET_PRODUCTS_BY_VARIANT = """UPDATE core.events AS e SET resource_id = new.product_id
FROM (
    SELECT named.event_id, any_value(v.product_id) AS product_id
    FROM (
        SELECT event_id, unnest(list_distinct(
            coalesce(json_extract_string(extra, '$.data.product.variants[*].id'), [])
            || coalesce(json_extract_string(extra, '$.data.variants[*].id'), [])
            || coalesce(json_extract_string(extra, '$.variants[*].id'), []))) AS variant_id
        FROM core.events WHERE resource_id IS NULL AND event_type LIKE 'product.%'
        UNION
        SELECT unnest($events::VARCHAR[]), unnest($variants::VARCHAR[])
    ) AS named
    JOIN core.variants v ON v.variant_id = named.variant_id AND v.product_id IS NOT NULL
    GROUP BY named.event_id HAVING count(DISTINCT v.product_id) = 1
) AS new
WHERE e.event_id = new.event_id AND e.resource_id IS NULL"""


def store_event_objects(con: duckdb.DuckDBPyConnection, clinic_id: str, objects: Mapping[str, str]) -> None:
    """Stores the objects, by event id, of stored events without one."""
    if objects:
        con.execute(_SET_OBJECTS, {"events": list(objects), "objects": list(objects.values()), "clinic": clinic_id})


def fill_event_objects(warehouse: Warehouse, store: StateStore, clinic: ClinicRef) -> None:
    """Stores the objects that the ledger knows, and the products of variants."""
    known = store.events.objects(clinic)
    variants = {
        event_id: object_id.removeprefix(VARIANT)
        for event_id, object_id in known.items()
        if object_id.startswith(VARIANT)
    }
    objects = {event_id: object_id for event_id, object_id in known.items() if event_id not in variants}
    with warehouse.write() as con:
        store_event_objects(con, clinic.clinic_id, objects)
        con.execute(_SET_PRODUCTS_BY_VARIANT, {"events": list(variants), "variants": list(variants.values())})
