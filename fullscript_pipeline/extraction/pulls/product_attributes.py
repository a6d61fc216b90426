"""Which products have an ingredient, allergen, type or certification: what the search lists for each value.

The vendor shows no such field on a product; only the search's filters tell. What does not belong here: searches for
words (`optional_resources`), the lists of the values (`whole_lists`).
"""

from collections.abc import Iterator, Sequence

from fullscript_pipeline.api import ClinicSession
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
from fullscript_pipeline.ids import requestable_ids
from fullscript_pipeline.resources.product_attributes import search_filter
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse import Line, stored_hashes
from fullscript_pipeline.warehouse.loading import Among


def pull_product_attributes(
    target: Target, sessions: Sequence[ClinicSession], table: Table, values: Table, *, sweep_days: int = SWEEP_DAYS
) -> Report:
    """Pulls the products of each value: one search a value, then every value again within `sweep_days`."""
    pull = Pull(target, table.name)
    parameter = search_filter(values)
    due = _due_values(pull, values, sweep_days)

    def search(session: ClinicSession, ids: Sequence[str]) -> list[str]:
        complete = in_parallel(
            lambda value: pull.walk(session, "search_products", params={parameter: value}).complete, ids
        )
        return [value for value, is_complete in zip(ids, complete, strict=True) if is_complete]

    # The first value alone: a restricted search is refused once, not once per value.
    walked = fetch_from_first_permitted(sessions, lambda session: search(session, due[:1]) + search(session, due[1:]))
    if isinstance(walked, str):
        return pull.record_refusal(walked)
    return pull.commit(
        Load(
            table=table,
            lines=lambda: _products_of_values(pull, parameter),
            missing_among=Among(column=table.key[0], ids=walked, owners=values),
            after=lambda con: record_detail_reads(
                con, pull, owner=target.region, resource=table.name, reads=dict.fromkeys(walked, (None, True))
            ),
        )
    )


def _due_values(pull: Pull, values: Table, sweep_days: int) -> list[str]:
    region = pull.target.region
    with pull.target.warehouse.read() as con:
        listed = dict.fromkeys(requestable_ids(sorted(stored_hashes(con, values, region))))
        return ids_due_for_refetch(con, region, pull.summary.resource, listed, sweep_days=sweep_days)


def _products_of_values(pull: Pull, parameter: str) -> Iterator[Line]:
    """Yields a row per value and product, without the product's fields."""
    for request, landed in pull.file.records():
        value = request.key.partition(f"?{parameter}=")[2]
        yield from (replace_record(line, {})._replace(parent_id=value) for line in landed)
