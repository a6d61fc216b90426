"""Fetches variants that plans and orders name but the catalog lacks, with the clinic's own session.

A plan line has only its variant; the variant names its product; the product has all its variants. The rows belong to
the region.

What does not belong here: completing a product (`products`), stored products (`known_products`).
"""

from collections.abc import Collection, Iterator
from datetime import timedelta

import duckdb

from fullscript_pipeline.api import ClinicSession, ScopeError
from fullscript_pipeline.extraction.engine import Load, Pull, Report, Target, in_parallel
from fullscript_pipeline.extraction.pulls.catalog_coverage import sighting_recorder as shown
from fullscript_pipeline.extraction.pulls.products import complete_products, product_id_of, variant_ids_in
from fullscript_pipeline.ids import requestable_ids
from fullscript_pipeline.resources.products import PRODUCTS, VARIANTS
from fullscript_pipeline.warehouse import Line

# A variant that answered 404, or that no product holds, is fetched again after this long.
RETRY_AFTER = timedelta(days=7)


def pull_unknown_variants(target: Target, session: ClinicSession) -> Report:
    """Pulls every variant of this clinic's plans and orders that core.variants lacks."""
    assert target.clinic is not None  # noqa: S101 - for a clinic's plans and orders
    pull = Pull(target, "variants")
    with target.warehouse.read() as con:
        variant_ids = _unknown_variant_ids(con, target.clinic.clinic_id, target.region, pull)
    try:
        variant_exists = in_parallel(lambda variant: pull.land_object(session, "variant", variant), variant_ids)
        product_ids = list(dict.fromkeys(filter(None, map(product_id_of, pull.file.lines("variant")))))
        product_exists = in_parallel(lambda product: pull.land_object(session, "product", product), product_ids)
        products = complete_products(pull, lambda variant: pull.land_object(session, "variant", variant))
    except ScopeError as refusal:
        return pull.record_refusal(str(refusal))

    in_products = variant_ids_in(products())
    shown_products = [product for product, exists in zip(product_ids, product_exists, strict=True) if exists]
    outcomes = {
        variant: "not_found" if not exists else "found" if variant in in_products else "alone"
        for variant, exists in zip(variant_ids, variant_exists, strict=True)
    }
    return pull.commit(
        Load(
            table=PRODUCTS,
            lines=products,
            listed=(),
            after=shown(target.region, target.day, "variant", lambda: {session.clinic.clinic_id: shown_products}),
        ),
        Load(
            table=VARIANTS,
            lines=lambda: _variants_without_product(pull, in_products),
            listed=(),
            after=lambda con: _record_outcomes(con, pull, outcomes),
        ),
    )


def _variants_without_product(pull: Pull, in_products: Collection[str]) -> Iterator[Line]:
    """Yields variants that no product holds: its record lacks them, or it answers 404."""
    return (line._replace(parent_id=None) for line in pull.file.lines("variant") if line.id not in in_products)


def _unknown_variant_ids(con: duckdb.DuckDBPyConnection, clinic_id: str, region: str, pull: Pull) -> list[str]:
    rows = con.execute(
        """SELECT DISTINCT named.variant_id FROM (
            SELECT variant_id FROM core.recommendations WHERE clinic_id = $clinic
            UNION SELECT variant_id FROM core.order_line_items WHERE clinic_id = $clinic
                AND coalesce(line_type, '') <> 'labs' AND lab_type IS NULL
        ) named
        WHERE named.variant_id IS NOT NULL
        AND (NOT EXISTS (SELECT 1 FROM core.variants v WHERE v.region = $region AND v.variant_id = named.variant_id)
            OR EXISTS (SELECT 1 FROM core.clinic_variants c WHERE c.clinic_id = $clinic
                AND c.variant_id = named.variant_id AND c.outcome = 'alone'))
        AND NOT EXISTS (SELECT 1 FROM core.clinic_variants c WHERE c.clinic_id = $clinic
            AND c.variant_id = named.variant_id AND c.outcome <> 'found' AND c.checked_at > $since)
        ORDER BY 1""",
        {"clinic": clinic_id, "region": region, "since": pull.summary.observed_at - RETRY_AFTER},
    ).fetchall()
    return requestable_ids(variant for (variant,) in rows)


def _record_outcomes(con: duckdb.DuckDBPyConnection, pull: Pull, outcomes: dict[str, str]) -> None:
    if not outcomes or pull.target.clinic is None:
        return
    clinic_id = pull.target.clinic.clinic_id
    con.execute("DELETE FROM core.clinic_variants WHERE clinic_id = ? AND variant_id IN ?", [clinic_id, list(outcomes)])
    con.executemany(
        "INSERT INTO core.clinic_variants VALUES (?, ?, ?, ?)",
        [(clinic_id, variant, outcome, pull.summary.observed_at) for variant, outcome in outcomes.items()],
    )
