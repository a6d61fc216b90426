"""How each product of a region was found, and what is known to exist but was never seen.

Reads `core.catalog_coverage`, which pulls fill. What does not belong here: how much was seen on a day (coverage.py).
"""

from dataclasses import dataclass

import duckdb

from fullscript_pipeline.plural import counted

# What names a variant: lines of plans, orders and protocols; labs are in no catalog.
_NAMED = """SELECT variant_id FROM core.recommendations r JOIN clinics USING (clinic_id) WHERE removed_at IS NULL
    UNION SELECT variant_id FROM core.protocol_recommendations p JOIN clinics USING (clinic_id) WHERE removed_at IS NULL
    UNION SELECT variant_id FROM core.order_line_items o JOIN clinics USING (clinic_id)
        WHERE removed_at IS NULL AND coalesce(line_type, '') <> 'labs' AND lab_type IS NULL"""


@dataclass(frozen=True, slots=True)
class FoundBy:
    """Products that were shown through one door, to how many clinics, and the last day."""

    door: str
    products: int
    clinics: int
    last_seen_on: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Variants that something names and the catalog lacks: those the server denied, and those nobody has asked for."""

    denied: int
    not_asked: int


def found_by(con: duckdb.DuckDBPyConnection, region: str) -> list[FoundBy]:
    """The doors by number of products."""
    rows = con.execute(
        """SELECT door, count(DISTINCT product_id), count(DISTINCT clinic_id), max(last_seen_on)::VARCHAR
        FROM core.catalog_coverage WHERE region = ? GROUP BY door ORDER BY 2 DESC, 1""",
        [region],
    ).fetchall()
    return [FoundBy(*row) for row in rows]


def unknown_variants(con: duckdb.DuckDBPyConnection, region: str) -> Unknown:
    """What plans, orders and protocols of the region's clinics name beyond the catalog."""
    row = con.execute(
        f"""WITH clinics AS (SELECT clinic_id FROM core.clinics WHERE region = $region), named AS ({_NAMED}),
        lacking AS (SELECT variant_id FROM named WHERE variant_id IS NOT NULL AND variant_id NOT IN (
            SELECT variant_id FROM core.variants WHERE region = $region)),
        denied AS (SELECT DISTINCT variant_id FROM core.clinic_variants JOIN clinics USING (clinic_id)
            WHERE outcome = 'not_found')
        SELECT count(*) FILTER (variant_id IN (SELECT variant_id FROM denied)), count(*) FROM lacking""",
        {"region": region},
    ).fetchone() or (0, 0)
    return Unknown(row[0], row[1] - row[0])


def unknown_text(doors: list[FoundBy], unknown: Unknown) -> str:
    """The lines that follow a region's coverage."""
    lines = ["How products were found, those that are gone included:"]
    lines += [
        f"  {one.door}: {counted(one.products, 'product')} by {counted(one.clinics, 'clinic')}, "
        f"last on {one.last_seen_on}"
        for one in doors
    ]
    lines.append(
        f"Unknown: {counted(unknown.denied, 'variant')} that plans, orders or protocols name and the server denies, "
        f"{unknown.not_asked:,} that nobody has asked for yet."
    )
    return "\n".join(lines)
