"""The request estimate of a resource whose description has a rule for it.

What does not belong here: resources whose number has to be computed (`clinic`, `region`).
"""

from collections.abc import Callable, Iterator, Mapping

from fullscript_pipeline.extraction.pulls import recommended_pairs
from fullscript_pipeline.extraction.request_estimate.estimate import EstimateInputs, EstimateLine, ListSize
from fullscript_pipeline.resources.types import Resource


def lines_by_rule(inputs: EstimateInputs, resource: Resource, table: str | None = None) -> Iterator[EstimateLine]:
    """Estimates a resource. `table`: an asset of the step that pulls it, where that is not its own."""
    name, estimate = resource.name, resource.estimate
    shown = estimate.shown_as or resource.shown_source
    if resource.option and resource.option not in _options(inputs):
        yield inputs.line(name, shown, 0, "skipped: not in FULLSCRIPT_EXTRAS", table=table)
    elif estimate.rule == "whole list":
        endpoint = resource.endpoints[0].name
        yield inputs.listed(name, shown, times=estimate.forms, endpoint_name=endpoint, table=table)
    elif estimate.rule == "once":
        yield inputs.line(name, shown, 1, estimate.why, table=table)
    else:
        each = _count_each(inputs, resource)
        why = estimate.why.format(each=each)
        yield inputs.as_last_time(name, shown, each + estimate.first_besides, why, table=table)


def _options(inputs: EstimateInputs) -> set[str]:
    """Returns the names in FULLSCRIPT_EXTRAS; a search has its query after a colon."""
    return {extra.partition(":")[0] for extra in inputs.pace.extras}


def _count_each(inputs: EstimateInputs, resource: Resource) -> int:
    """Counts the objects for each of which a first pull sends a request."""
    counter = _COUNTERS.get(resource.estimate.first_each or "")
    return counter(inputs, resource) if counter else 0


def _count_products(inputs: EstimateInputs, _resource: Resource) -> int:
    return inputs.number("SELECT count(*) FROM core.products WHERE region = $region AND removed_at IS NULL")


def _count_values(inputs: EstimateInputs, resource: Resource) -> int:
    """Counts the rows of the list that the resource is read by."""
    ((values,),) = resource.made_from.values()
    return inputs.size(values).rows


def _count_pairs(inputs: EstimateInputs, _resource: Resource) -> int:
    return len(recommended_pairs(inputs.con, inputs.clinic.clinic_id, inputs.clinic.region)) if inputs.con else 0


def patient_list_size(inputs: EstimateInputs) -> ListSize:
    """Returns how many patients the clinic has: as for any list, else as the clinic or its connection counted."""
    grant = inputs.store.tokens.load_grant(inputs.clinic) if inputs.store else None
    own_count = inputs.number("SELECT max(patient_count) FROM core.clinics WHERE clinic_id = $clinic")
    if not own_count and grant and grant.patients_visible:
        return inputs.size("patients", grant.patients_visible, "patients, counted when the clinic was connected")
    return inputs.size("patients", own_count, "patients by the clinic's own count")


# By `RequestEstimate.first_each`.
_COUNTERS: Mapping[str, Callable[[EstimateInputs, Resource], int]] = {
    "patient": lambda inputs, _: patient_list_size(inputs).rows,
    "practitioner": lambda inputs, _: inputs.size("practitioners").rows,
    "product": _count_products,
    "query": lambda inputs, _: sum(extra.startswith("product_search:") for extra in inputs.pace.extras),
    "catalog value": _count_values,
    "recommended product": _count_pairs,
}
