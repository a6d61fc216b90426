"""Counts the products of a region by catalog source, and the variants that are referenced but were never seen.

Reads `core.catalog_coverage`, which the pulls fill. What does not belong here: the coverage of a day (coverage.py).
"""

from dataclasses import dataclass

import duckdb

from fullscript_pipeline.plural import counted
from fullscript_pipeline.typed_rows import typed_row

# Lines of plans, orders and protocols reference variants. Lab lines do not count: labs are in no catalog.
_NAMED = """SELECT variant_id FROM core.recommendations r JOIN clinics USING (clinic_id) WHERE removed_at IS NULL
    UNION SELECT variant_id FROM core.protocol_recommendations p JOIN clinics USING (clinic_id) WHERE removed_at IS NULL
    UNION SELECT variant_id FROM core.order_line_items o JOIN clinics USING (clinic_id)
        WHERE removed_at IS NULL AND coalesce(line_type, '') <> 'labs' AND lab_type IS NULL"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCount:
    """How many products a catalog source showed, to how many clinics, and on which day last."""

    source: str
    products: int
    clinics: int
    last_seen_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownVariants:
    """Variants that a record references and the catalog lacks: answered with 404 (`denied`), or not fetched yet."""

    denied: int
    not_fetched: int


def count_products_by_source(con: duckdb.DuckDBPyConnection, region: str) -> list[SourceCount]:
    """The catalog sources of a region, the one with most products first."""
    rows = con.execute(
        """SELECT door, count(DISTINCT product_id), count(DISTINCT clinic_id), max(last_seen_on)::VARCHAR
        FROM core.catalog_coverage WHERE region = ? GROUP BY door ORDER BY 2 DESC, 1""",
        [region],
    ).fetchall()
    return [typed_row(SourceCount, row) for row in rows]


def count_unknown_variants(con: duckdb.DuckDBPyConnection, region: str) -> UnknownVariants:
    """Counts the variants that plans, orders and protocols of the region's clinics reference and the catalog lacks."""
    row = con.execute(
        f"""WITH clinics AS (SELECT clinic_id FROM core.clinics WHERE region = $region), named AS ({_NAMED}),
        lacking AS (SELECT variant_id FROM named WHERE variant_id IS NOT NULL AND variant_id NOT IN (
            SELECT variant_id FROM core.variants WHERE region = $region)),
        denied AS (SELECT DISTINCT variant_id FROM core.clinic_variants JOIN clinics USING (clinic_id)
            WHERE outcome = 'not_found')
        SELECT count(*) FILTER (variant_id IN (SELECT variant_id FROM denied)), count(*) FROM lacking""",
        {"region": region},
    ).fetchone() or (0, 0)
    return UnknownVariants(denied=row[0], not_fetched=row[1] - row[0])


def format_catalog_gaps(sources: list[SourceCount], unknown: UnknownVariants) -> str:
    """The lines printed below a region's coverage."""
    lines = ["Products by source, removed ones included:"]
    lines += [
        f"  {source.source}: {counted(source.products, 'product')} by {counted(source.clinics, 'clinic')}, "
        f"last on {source.last_seen_on}"
        for source in sources
    ]
    lines.append(
        f"Unknown: {counted(unknown.denied, 'variant')} that plans, orders or protocols name and the server denies, "
        f"{unknown.not_fetched:,} not fetched yet."
    )
    return "\n".join(lines)
