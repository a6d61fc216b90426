"""Patients' addresses: on request only. What does not belong here: the patients themselves (`patients`)."""

from fullscript_pipeline.resources.types import (
    ON_REQUEST,
    RequestEstimate,
    Resource,
    Table,
    nested_list,
    scopes,
    text,
)

# No key of an address is documented: likely spellings are typed, the rest stays in `extra`.
ADDRESSES = Table(
    name="addresses",
    scope="clinic",
    key=("patient_id", "address_id"),
    columns=(
        text("first_name", "first_name", "firstname"),
        text("last_name", "last_name", "lastname"),
        text("address1"),
        text("address2"),
        text("city"),
        text("state", "state", "state_name"),
        text("zipcode", "zipcode", "zip"),
        text("country"),
        text("phone"),
    ),
)

ADDRESSES_RESOURCE = Resource(
    name="addresses",
    texts={"addresses": "Patients' addresses."},
    tables=(ADDRESSES,),
    endpoints=(nested_list("patient_addresses", "/clinic/patients/{patient_id}/addresses", scopes.PATIENTS),),
    group="clinical",
    contains_phi=True,
    cadence=f"{ON_REQUEST}: once per patient, then a rolling share",
    made_from={"addresses": ("patients",)},
    option="addresses",
    estimate=RequestEstimate(
        rule="as last time",
        shown_as="GET /clinic/patients/{id}/addresses",
        first_each="patient",
        why="one for each patient, then a share a day",
    ),
)
