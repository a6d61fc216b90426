"""Makes the tables that docs show of resources and event types, from their descriptions (`make resource-docs`).

`python -m fullscript_pipeline_tests.helpers.resource_docs` writes docs/requests.md and docs/operations.md; a test holds
them equal. What does not belong here: columns (`data_dictionary`), settings (`settings_docs`).
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fullscript_pipeline.event_types import TYPES, EventType, event_family
from fullscript_pipeline.regions import REGIONS
from fullscript_pipeline.resources import ALL_RESOURCES
from fullscript_pipeline.resources.types import RequestRule, Resource

DOCS = Path(__file__).parents[2] / "docs"


def request_table() -> str:
    """What a pull requests, by resource."""
    rows = (
        (_resource_name(resource), _code(rule.requests), rule.number, rule.why)
        for resource in ALL_RESOURCES
        if resource.endpoints or resource.tables
        for rule in _request_rules(resource)
    )
    return _markdown(("resource", "requests", "how many", "why"), rows)


def _resource_name(resource: Resource) -> str:
    """Its name, with its regions where it is not in all."""
    some = set(resource.regions) != set(REGIONS)
    return resource.name + (f" ({', '.join(resource.regions).upper()} only)" if some else "")


def _request_rules(resource: Resource) -> Iterator[RequestRule]:
    """Its rules; of a resource without any, what follows from how it is read."""
    if resource.option:
        each = f", then one per {resource.estimate.first_each}" if resource.estimate.first_each else ""
        yield RequestRule(
            requests=resource.shown_source, number=f"none unless `FULLSCRIPT_EXTRAS` names `{resource.option}`{each}"
        )
    elif resource.listing == "whole list":
        one_clinic = ", from one clinic" if resource.partition == "region" else ""
        yield RequestRule(requests=resource.shown_source, number=f"all pages{one_clinic}")
    yield from resource.request_rules


def _code(requests: str) -> str:
    return ", ".join(f"`{request}`" for request in requests.split(", "))


def event_table() -> str:
    """What each type of event makes a refresh read again."""
    rows = ((f"`{row.pattern}`", row.happened, "; ".join(_read_again(row)) or "nothing", row.source) for row in TYPES)
    return _markdown(("event type", "what happened", "read again", "where the rule is from"), rows)


def _read_again(row: EventType) -> Iterator[str]:
    family = event_family(row.pattern)
    if family and family.name:
        yield f"core.{family.table}"
    yield from (also.value for also in row.also)


def _markdown(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (headings, ("---",) * len(headings), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("| --- ", "|---").replace("--- |", "---|")


# The tables by the document that shows each, and its name there.
TABLES: dict[tuple[str, str], Callable[[], str]] = {
    ("requests.md", "requests"): request_table,
    ("operations.md", "event types"): event_table,
}


def with_table(document: str, name: str, table: str) -> str:
    """The document with this table between its marks. Raises ValueError for a document without them."""
    begin, end = f"<!-- {name}: begin (make resource-docs) -->\n", f"<!-- {name}: end -->\n"
    before, rest = document.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{table}{end}{after}"


def main() -> None:
    for (file, name), make_table in TABLES.items():
        document = (DOCS / file).read_text(encoding="utf-8")
        (DOCS / file).write_text(with_table(document, name, make_table()), encoding="utf-8")


if __name__ == "__main__":
    main()
