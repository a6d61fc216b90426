"""The vendor's regions, one row each: every region has its own servers, catalog and accounts.

Add what differs by region as a column here. What does not belong here: a region's servers (`servers.py`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Region:
    """One region. `currency`: of its prices (ISO 4217). `has_labs`: Fullscript sells lab tests there."""

    name: str
    currency: str
    has_labs: bool


REGIONS: dict[str, Region] = {
    "us": Region(name="us", currency="USD", has_labs=True),
    "ca": Region(name="ca", currency="CAD", has_labs=False),
}
REGIONS_WITH_LABS = tuple(region.name for region in REGIONS.values() if region.has_labs)
