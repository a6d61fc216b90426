"""The dosages that practitioners have set for products: one request per practitioner and product that they recommend.

The API lists them nowhere, and shows one only in a product that is fetched for its practitioner. What does not belong
here: the label's dosage, which is a fact of the region's product (`products`).
"""

from collections.abc import Iterator

import duckdb
import orjson

from fullscript_pipeline.api import ClinicSession, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine import (
    SWEEP_DAYS,
    Load,
    Pull,
    Report,
    Target,
    ids_due_for_refetch,
    in_parallel,
    record_detail_reads,
)
from fullscript_pipeline.extraction.pulls.landed_records import replace_record
from fullscript_pipeline.ids import is_requestable
from fullscript_pipeline.resources.custom_dosages import CUSTOM_DOSAGES
from fullscript_pipeline.warehouse import Line

_PARAMETER = "practitioner_id"
# Practitioner and product as one key, like `Table.record_key`.
_RECOMMENDED = """
    SELECT DISTINCT concat_ws('/', owners.practitioner_id, variants.product_id) AS pair,
        owners.practitioner_id, variants.product_id
    FROM (
        SELECT plan.practitioner_id, line.variant_id
        FROM core.treatment_plans AS plan JOIN core.recommendations AS line USING (clinic_id, treatment_plan_id)
        WHERE plan.clinic_id = $clinic AND plan.removed_at IS NULL AND line.removed_at IS NULL
        UNION
        SELECT protocol.practitioner_id, line.variant_id
        FROM core.protocols AS protocol JOIN core.protocol_recommendations AS line USING (clinic_id, protocol_id)
        WHERE protocol.clinic_id = $clinic AND protocol.removed_at IS NULL AND line.removed_at IS NULL
    ) AS owners
    JOIN core.variants AS variants ON variants.region = $region AND variants.variant_id = owners.variant_id
    WHERE owners.practitioner_id IS NOT NULL AND variants.product_id IS NOT NULL
    ORDER BY 1"""


def pull_custom_dosages(target: Target, session: ClinicSession, sweep_days: int = SWEEP_DAYS) -> Report:
    """Pulls each recommended product for its practitioner, once and then again within `sweep_days`.

    A product that is shown without a custom dosage, or not at all, has none.
    """
    pull = Pull(target, "custom_dosages")
    clinic_id = session.clinic.clinic_id
    with target.warehouse.read() as con:
        pairs = recommended_pairs(con, clinic_id, target.region)
        due = ids_due_for_refetch(con, clinic_id, "custom_dosages", dict.fromkeys(pairs), sweep_days=sweep_days)

    def land(pair: str) -> bool:
        practitioner, product = pairs[pair]
        return pull.land_object(session, "product", product, params={_PARAMETER: practitioner})

    try:
        # The first pair alone: a refusal costs one request.
        exists = [*map(land, due[:1]), *in_parallel(land, due[1:])]
    except (ScopeError, RequestRefused) as refusal:
        return pull.record_refusal(str(refusal))
    dosed = {f"{line.parent_id}/{line.id}" for line in _custom_dosages(pull)}
    reads: dict[str, tuple[str | None, bool]] = {
        pair: (None, is_there) for pair, is_there in zip(due, exists, strict=True)
    }
    return pull.commit(
        Load(
            table=CUSTOM_DOSAGES,
            lines=lambda: _custom_dosages(pull),
            gone=[pair for pair in due if pair not in dosed],
            listed=(),
            after=lambda con: record_detail_reads(con, pull, owner=clinic_id, resource="custom_dosages", reads=reads),
        )
    )


def recommended_pairs(con: duckdb.DuckDBPyConnection, clinic_id: str, region: str) -> dict[str, tuple[str, str]]:
    """Returns the practitioners of a clinic with each product that their plans or protocols recommend, by one key."""
    rows = con.execute(_RECOMMENDED, {"clinic": clinic_id, "region": region}).fetchall()
    return {
        pair: (practitioner, product)
        for pair, practitioner, product in rows
        if is_requestable(practitioner) and is_requestable(product)
    }


def _custom_dosages(pull: Pull) -> Iterator[Line]:
    for request, landed in pull.file.records():
        practitioner = request.key.partition(f"?{_PARAMETER}=")[2]
        for line in landed:
            dosage = orjson.loads(line.record).get("custom_dosage")
            if isinstance(dosage, dict):
                yield replace_record(line, dosage)._replace(parent_id=practitioner)
