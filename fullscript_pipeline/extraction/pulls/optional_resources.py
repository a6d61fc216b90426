"""Resources that are pulled only if FULLSCRIPT_EXTRAS names them: addresses, templates, similar products, searches.

What does not belong here: `custom_dosages` and `product_attributes`, which have a module each, and what every pull
reads (`protocols_and_resources`, `catalog`).
"""

from collections.abc import Collection, Iterator, Sequence

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, RequestRefused, ScopeError
from fullscript_pipeline.extraction.engine import (
    SWEEP_DAYS,
    Load,
    Pull,
    Report,
    Target,
    fetch_from_first_permitted,
    ids_due_for_refetch,
    in_parallel,
    record_detail_reads,
)
from fullscript_pipeline.extraction.pulls.landed_records import replace_record
from fullscript_pipeline.extraction.pulls.product_attributes import pull_product_attributes
from fullscript_pipeline.extraction.pulls.protocols_and_resources import practitioner_ids
from fullscript_pipeline.resources.addresses import ADDRESSES
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.people import PRACTITIONERS
from fullscript_pipeline.resources.product_attributes import ATTRIBUTE_VALUES
from fullscript_pipeline.resources.product_searches import PRODUCT_SEARCHES, SIMILAR_PRODUCTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.templates import TEMPLATES
from fullscript_pipeline.warehouse import NO_ID, Line
from fullscript_pipeline.warehouse.loading import Among, rows_of

SEARCH = "product_search:"


def pull_clinic_extras(
    target: Target, session: ClinicSession, extras: Collection[str], sweep_days: int = SWEEP_DAYS
) -> list[Report]:
    """Pulls the extras of a clinic that the setting names."""
    reports = []
    if "addresses" in extras:
        reports.append(pull_addresses(target, session, sweep_days))
    if "templates" in extras:
        reports.append(pull_templates(target, session))
    return reports


def pull_region_extras(
    target: Target, sessions: Sequence[ClinicSession], extras: Collection[str], sweep_days: int = SWEEP_DAYS
) -> list[Report]:
    """Pulls the extras of a region that the setting names. All are restricted: every clinic is tried."""
    queries = [extra.removeprefix(SEARCH) for extra in extras if extra.startswith(SEARCH)]
    reports = [pull_product_searches(target, sessions, queries)] if queries else []
    if "similar_products" in extras:
        reports.append(pull_similar_products(target, sessions, sweep_days))
    for table, values in ATTRIBUTE_VALUES:
        if table.name in extras:
            reports.append(pull_product_attributes(target, sessions, table, values, sweep_days=sweep_days))
    return reports


def pull_addresses(target: Target, session: ClinicSession, sweep_days: int = SWEEP_DAYS) -> Report:
    """Pulls the addresses of patients: one request each, then again within `sweep_days`."""
    pull = Pull(target, "addresses")
    clinic_id = session.clinic.clinic_id
    with target.warehouse.read() as con:
        rows = con.execute(
            "SELECT patient_id, content_hash FROM core.patients WHERE clinic_id = ? AND removed_at IS NULL ORDER BY 1",
            [clinic_id],
        ).fetchall()
        due = ids_due_for_refetch(con, clinic_id, "addresses", dict(rows), sweep_days=sweep_days)
    shown = dict(rows)
    try:
        walked = _walk_each(pull, session, "patient_addresses", parameter="patient_id", ids=due)
    except (ScopeError, RequestRefused) as refusal:
        return pull.record_refusal(str(refusal))
    return pull.commit(
        Load(
            table=ADDRESSES,
            lines=lambda: map(_with_content_id, pull.file.lines("patient_addresses")),
            missing_among=Among(column="patient_id", ids=walked, owners=PATIENTS),
            after=lambda con: record_detail_reads(
                con,
                pull,
                owner=clinic_id,
                resource="addresses",
                reads={patient: (shown[patient], True) for patient in walked},
            ),
        )
    )


def pull_templates(target: Target, session: ClinicSession) -> Report:
    """Pulls templates, which the vendor replaces by protocols: a list per practitioner."""
    pull = Pull(target, "templates")
    try:
        walked = _walk_each(
            pull, session, "practitioner_templates", parameter="practitioner_id", ids=practitioner_ids(pull)
        )
    except (ScopeError, RequestRefused) as refusal:
        return pull.record_refusal(str(refusal))
    return pull.commit(
        Load(
            table=TEMPLATES,
            lines=pull.lines("practitioner_templates"),
            missing_among=Among(column="practitioner_id", ids=walked, owners=PRACTITIONERS),
        )
    )


def pull_similar_products(target: Target, sessions: Sequence[ClinicSession], sweep_days: int = SWEEP_DAYS) -> Report:
    """Pulls the products that are similar to each product: one request each, then again within `sweep_days`."""
    pull = Pull(target, "similar_products")
    with target.warehouse.read() as con:
        rows = con.execute(
            "SELECT product_id FROM core.products WHERE region = ? AND removed_at IS NULL ORDER BY 1", [target.region]
        ).fetchall()
        due = ids_due_for_refetch(
            con, target.region, "similar_products", {product_id: None for (product_id,) in rows}, sweep_days=sweep_days
        )

    def fetch(session: ClinicSession) -> list[str]:
        # The first id alone: a restricted list is refused once, not once per product.
        first = _walk_each(pull, session, "similar_products", parameter="product_id", ids=due[:1])
        return first + _walk_each(pull, session, "similar_products", parameter="product_id", ids=due[1:])

    walked = fetch_from_first_permitted(sessions, fetch)
    if isinstance(walked, str):
        return pull.record_refusal(walked)
    return pull.commit(
        Load(
            table=SIMILAR_PRODUCTS,
            lines=lambda: _with_places(pull.file.lines("similar_products")),
            missing_among=Among(column="product_id", ids=walked, owners=PRODUCTS),
            after=lambda con: record_detail_reads(
                con, pull, owner=target.region, resource="similar_products", reads=dict.fromkeys(walked, (None, True))
            ),
        )
    )


def pull_product_searches(target: Target, sessions: Sequence[ClinicSession], queries: Sequence[str]) -> Report:
    """Pulls the results of the catalog's search for each query, in the vendor's order."""
    pull = Pull(target, "product_searches")

    def fetch(session: ClinicSession) -> list[str]:
        return [query for query in queries if pull.walk(session, "search_products", params={"query": query}).complete]

    walked = fetch_from_first_permitted(sessions, fetch)
    if isinstance(walked, str):
        return pull.record_refusal(walked)

    def lines() -> Iterator[Line]:
        # Pages may have landed in another order than the vendor's.
        for request, landed in sorted(pull.file.records(), key=lambda frame: frame[0].page):
            if request.endpoint == "search_products":
                query = request.key.partition("?query=")[2]
                yield from (line._replace(parent_id=query) for line in landed)

    return pull.commit(
        Load(table=PRODUCT_SEARCHES, lines=lambda: _with_places(lines()), missing_among=rows_of("query", walked))
    )


def _walk_each(pull: Pull, session: ClinicSession, endpoint: str, *, parameter: str, ids: Sequence[str]) -> list[str]:
    """Lands the list of each id. Returns the ids whose list is complete; a 404 counts as an empty list."""

    def walk(object_id: str) -> bool:
        try:
            return pull.walk(session, endpoint, path={parameter: object_id}).complete
        except NotFound:
            return True

    return [object_id for object_id, complete in zip(ids, in_parallel(walk, ids), strict=True) if complete]


def _with_content_id(line: Line) -> Line:
    """Returns the address, with its content hash as id when it has none."""
    return line._replace(id=line.hash) if line.id.startswith(NO_ID) else line


def _with_places(lines: Iterator[Line]) -> Iterator[Line]:
    """Yields each row with its place in its list and the product's name; the catalog has the other fields."""
    places: dict[str | None, dict[str, int]] = {}
    for line in lines:
        places_in_list = places.setdefault(line.parent_id, {})
        place = places_in_list.setdefault(line.id, len(places_in_list))
        yield replace_record(line, {"name": orjson.loads(line.record).get("name"), "place": place})
