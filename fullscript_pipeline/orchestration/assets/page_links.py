"""Links as metadata: to pages where they are served, to the reference of a table, and to the vendor's documentation.

The UI's server itself serves the pages that hold no health data (`ui_access.served_pages`). What does not belong here:
links in the descriptions of assets (`asset_specs`).
"""

from pathlib import Path
from urllib.parse import quote

import dagster as dg

from fullscript_pipeline.files import open_files
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.ui_access import CATALOG, REFERENCE

# The vendor's reference of endpoints. It is one page.
VENDOR_DOCS = "https://us.fullscript.com/docs/api"


def page_links(settings: Settings, **pages: Path) -> dict[str, dg.MetadataValue]:
    """Of each page its path, and as `<name>_link` its address where it is served.

    That is below FULLSCRIPT_REPORTS_BASE_URL; without it, the UI serves the pages of the catalog, and no clinic's.
    """
    files = open_files(settings, "reports")
    links: dict[str, dg.MetadataValue] = {
        name: dg.MetadataValue.path(files.address(path.relative_to(settings.reports_dir).as_posix()))
        for name, path in pages.items()
    }
    for name, path in pages.items():
        if address := _address(settings, path):
            links[f"{name}_link"] = dg.MetadataValue.url(address)
    return links


def _address(settings: Settings, path: Path) -> str | None:
    if base := settings.reports_base_url:
        return f"{base.rstrip('/')}/{path.relative_to(settings.reports_dir).as_posix()}"
    catalog = settings.reports_dir / "catalog"
    return f"{CATALOG}/{path.relative_to(catalog).as_posix()}" if path.is_relative_to(catalog) else None


def with_reference_links(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The same spec with a link to its part of the reference, and to the vendor's where its rows are the vendor's."""
    links = {"reference": dg.MetadataValue.url(f"{REFERENCE}#{quote('.'.join(spec.key.path))}")}
    if "fullscript" in spec.kinds:
        links["vendor_docs"] = dg.MetadataValue.url(VENDOR_DOCS)
    return spec.merge_attributes(metadata=links)
