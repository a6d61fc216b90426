"""The ids that other systems have for people and plans.

What does not belong here: the objects themselves, which keep an external id of their own.
"""

import orjson

from fullscript_pipeline.api import ClinicSession, RequestRefused
from fullscript_pipeline.extraction.engine import Load, Pull, Report, Target
from fullscript_pipeline.extraction.pulls.landed_records import REFUSALS
from fullscript_pipeline.resources.external_ids import EXTERNAL_IDS
from fullscript_pipeline.warehouse import NO_ID, Line, canonical, content_hash, record_key
from fullscript_pipeline.warehouse.loading import EVERYTHING

METADATA_TYPES = ("patient", "practitioner", "staff", "treatment_plan")


def pull_external_ids(target: Target, session: ClinicSession) -> Report:
    """Pulls the external ids of objects: in one list, or a list per type on a server that requires a type."""
    pull = Pull(target, "external_ids")
    try:
        try:
            listings = [pull.walk(session, "metadata")]
        except RequestRefused:
            listings = [
                pull.walk(session, "metadata", params={"type": metadata_type}) for metadata_type in METADATA_TYPES
            ]
    except REFUSALS as refusal:
        return pull.record_refusal(str(refusal))
    # The id of a row is the other system's. Several objects may share it, so objects are counted.
    total = sum(listing.total_count or 0 for listing in listings)
    rows = [_of_entity(line) for line in pull.file.lines("metadata")] or _external_ids_of_objects(pull)
    objects = {(line.parent_id, line.id) for line in rows}
    complete = len(objects) >= total and not any(line.id.startswith(NO_ID) for line in rows)
    complete = complete and all(listing.complete or listing.ids for listing in listings)
    return pull.commit(
        Load(table=EXTERNAL_IDS, lines=lambda: iter(rows), missing_among=EVERYTHING if complete else None),
        total_count=total,
    )


_EXTERNAL_IDS_OF_OBJECTS = """
    SELECT external_id, kind, entity_id FROM (
        SELECT clinic_id, removed_at, external_id, 'patient' AS kind, patient_id AS entity_id FROM core.patients
        UNION ALL SELECT clinic_id, removed_at, external_id, 'practitioner', practitioner_id FROM core.practitioners
        UNION ALL SELECT clinic_id, removed_at, external_id, 'staff', staff_id FROM core.staff
        UNION ALL SELECT clinic_id, removed_at, external_id, 'treatment_plan', treatment_plan_id
        FROM core.treatment_plans)
    WHERE clinic_id = ? AND removed_at IS NULL AND external_id IS NOT NULL ORDER BY ALL"""


def _external_ids_of_objects(pull: Pull) -> list[Line]:
    """Returns the external ids in people and plans, for a server that lists none without an id."""
    clinic_id = pull.target.clinic.clinic_id if pull.target.clinic else None
    with pull.target.warehouse.read() as con:
        rows = con.execute(_EXTERNAL_IDS_OF_OBJECTS, [clinic_id]).fetchall()
    records = [
        canonical({"id": external_id, "type": kind, "data": {"id": entity}}) for external_id, kind, entity in rows
    ]
    return [Line(entity, kind, content_hash(text), text) for (_, kind, entity), text in zip(rows, records, strict=True)]


def _of_entity(line: Line) -> Line:
    """Returns a row of the metadata list with the id of its object."""
    record = orjson.loads(line.record)
    data = record.get("data")
    entity_id = record_key(data.get("id") if isinstance(data, dict) else None, line.hash)
    return line._replace(id=entity_id, parent_id=str(record.get("type") or ""))
