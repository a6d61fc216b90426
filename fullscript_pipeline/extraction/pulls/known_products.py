"""A region's stored products by id, for apps that may not list the catalog: those that no category showed completely.

A product is gone when every connected clinic gets 404 twice, an hour apart (`warehouse.loading.not_found_objects`). One
that a clinic may not see is unknown, and stays. What does not belong here: lists and categories (`catalog`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from fullscript_pipeline.api import ClinicSession, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.extraction.engine import Load, Pull, Report, Target, in_parallel
from fullscript_pipeline.extraction.pulls.catalog_coverage import sighting_recorder
from fullscript_pipeline.extraction.pulls.products import complete_products
from fullscript_pipeline.ids import requestable_ids
from fullscript_pipeline.plural import counted
from fullscript_pipeline.resources.products import PRODUCTS, VARIANTS
from fullscript_pipeline.warehouse.loading import not_found_objects


@dataclass(kw_only=True)
class _Lookup:
    """Looks up products or variants. The outcome of each is the clinic that read it, `gone` (404 for every clinic), or
    `unknown` (a clinic without access might see it)."""

    pull: Pull
    sessions: Sequence[ClinicSession]
    endpoint: str
    outcomes: dict[str, str] = field(default_factory=dict)

    def look_up(self, object_id: str) -> None:
        self.outcomes[object_id] = self._outcome(object_id)

    def with_outcome(self, outcome: str) -> list[str]:
        return [object_id for object_id, reached in self.outcomes.items() if reached == outcome]

    def _outcome(self, object_id: str) -> str:
        outcomes = set()
        for session in self.sessions:
            try:
                if self.pull.land_object(session, self.endpoint, object_id):
                    return session.clinic.clinic_id
                outcomes.add("gone")
            except (ScopeError, NeedsConnect):
                outcomes.add("unknown")
        return "gone" if outcomes == {"gone"} else "unknown"


def pull_known_products(
    target: Target, sessions: Sequence[ClinicSession], read: set[str], *, asks_every_clinic: bool
) -> Report:
    """Pulls every stored product but those `read` today. `asks_every_clinic`: see `catalog.pull_products`."""
    pull, region = Pull(target, "products_by_id"), target.region
    products = _Lookup(pull=pull, sessions=sessions, endpoint="product")
    variants = _Lookup(pull=pull, sessions=sessions, endpoint="variant")
    known = requestable_ids(_known_product_ids(target, sessions))
    in_parallel(products.look_up, [product for product in known if product not in read])
    lines = complete_products(pull, variants.look_up)
    denied = products.with_outcome("gone") if asks_every_clinic else []
    with target.warehouse.read() as con:
        gone = not_found_objects.not_found_twice(con, region, PRODUCTS, denied=denied, moment=pull.summary.observed_at)
    if left := len(denied) - len(gone):
        pull.summary.add_caution(
            f"{counted(left, 'product')} answered 404 for the first time: left as stored for an hour"
        )
    clinics = [session.clinic.clinic_id for session in sessions]
    record_sightings = sighting_recorder(
        region, target.day, "by_id", lambda: {clinic_id: products.with_outcome(clinic_id) for clinic_id in clinics}
    )

    def after(con: duckdb.DuckDBPyConnection) -> None:
        for table, lookup in ((PRODUCTS, products), (VARIANTS, variants)):
            gone_ids = lookup.with_outcome("gone") if asks_every_clinic else []
            not_found_objects.record_not_found(con, region, table, denied=gone_ids, requested=lookup.outcomes)
        record_sightings(con)

    # Everything that this app may see was read, so the load answers every product event.
    return pull.commit(Load(table=PRODUCTS, lines=lines, gone=gone, listed=(), covers_events=True, after=after))


def _known_product_ids(target: Target, sessions: Sequence[ClinicSession]) -> list[str]:
    with target.warehouse.read() as con:
        rows = con.execute(
            """SELECT product_id FROM core.products WHERE region = $region AND removed_at IS NULL
            UNION SELECT product_id FROM core.category_products
            WHERE clinic_id IN $clinics AND removed_at IS NULL ORDER BY 1""",
            {"region": target.region, "clinics": [session.clinic.clinic_id for session in sessions]},
        ).fetchall()
    return [product for (product,) in rows]
