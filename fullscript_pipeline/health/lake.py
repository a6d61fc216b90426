"""Checks the lake's catalog: TLS, and who else may read what it holds in clear.

What does not belong here: what is in the lake (`warehouse`).
"""

from collections.abc import Iterator

from fullscript_pipeline.health.finding import Finding, failed, passed, warned
from fullscript_pipeline.warehouse import Warehouse

_IN_CLEAR = "the smallest and largest value of every column (names, e-mail addresses) and the files' keys"


def check_lake(lake: Warehouse) -> Iterator[Finding]:
    """Raises no error for a file: it has no catalog, and no finding."""
    catalog = lake.catalog
    if catalog is None:
        return
    what = f"{catalog.place} answers {'over TLS' if catalog.uses_tls() else 'without TLS'}; it holds {_IN_CLEAR}"
    if catalog.uses_tls() or catalog.is_on_this_machine():
        yield passed("warehouse.catalog", what)
    else:
        yield failed("warehouse.catalog", what, "Add `sslmode=verify-full` to FULLSCRIPT_WAREHOUSE_URL, and TLS there.")
    readers = catalog.other_readers()
    if readers:
        yield warned(
            "warehouse.roles",
            f"{', '.join(readers)} may read the lake's catalog, which holds {_IN_CLEAR}",
            "Take their rights in the schema `lake` away: for analysts, `fullscript-pipeline publish` makes a copy.",
        )
    else:
        yield passed("warehouse.roles", "no other role was given rights in the lake's catalog")
