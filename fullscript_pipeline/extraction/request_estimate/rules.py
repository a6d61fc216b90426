"""The estimate of a resource whose description says by a rule how many requests it needs.

What does not belong here: resources whose number has to be computed (`clinic`, `region`).
"""

from collections.abc import Iterator

from fullscript_pipeline.extraction.request_estimate.estimate import BillLine, Known
from fullscript_pipeline.resources.types import RequestEstimate, Resource


def lines_by_rule(known: Known, resource: Resource, table: str | None = None) -> Iterator[BillLine]:
    """The line of a resource. `table`: an asset of the step that pulls it, where that is not its own."""
    name, estimate = resource.name, resource.estimate
    shown = estimate.shown_as or resource.shown_source
    if resource.option and resource.option not in _options(known):
        yield known.line(name, shown, 0, "skipped: not in FULLSCRIPT_EXTRAS", table=table)
    elif estimate.rule == "whole list":
        endpoint = resource.endpoints[0].name
        yield known.listed(name, shown, times=estimate.forms, asked_as=endpoint, table=table)
    elif estimate.rule == "once":
        yield known.line(name, shown, 1, estimate.why, table=table)
    else:
        each = _count_each(known, estimate)
        why = estimate.why.format(each=each)
        yield known.as_last_time(name, shown, each + estimate.first_besides, why, table=table)


def _options(known: Known) -> set[str]:
    """The words of FULLSCRIPT_EXTRAS; a search is written with its query."""
    return {extra.partition(":")[0] for extra in known.pace.extras}


def _count_each(known: Known, estimate: RequestEstimate) -> int:
    """How many of those there are for each of whom a first pull sends a request."""
    match estimate.first_each:
        case "patient":
            return patient_count(known)[0]
        case "practitioner":
            return known.size("practitioners")[0]
        case "product":
            return known.number("SELECT count(*) FROM core.products WHERE region = $region AND removed_at IS NULL")
        case "query":
            return sum(extra.startswith("product_search:") for extra in known.pace.extras)
        case None:
            return 0


def patient_count(known: Known) -> tuple[int, str, bool]:
    """How many patients the clinic has, where the number is from, and whether it is sure."""
    grant = known.store.load_grant(known.clinic) if known.store else None
    counted = known.number("SELECT max(patient_count) FROM core.clinics WHERE clinic_id = $clinic")
    if not counted and grant and grant.patients_visible:
        return known.size("patients", grant.patients_visible, "patients, counted when the clinic was connected")
    return known.size("patients", counted, "patients by the clinic's own count")
