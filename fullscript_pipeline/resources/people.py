"""Who works at a clinic: practitioners and staff. What does not belong here: patients (`patients`)."""

from fullscript_pipeline.resources.types import (
    BOTH_COPIES,
    WHOLE_LIST,
    Resource,
    Table,
    detail,
    flag,
    list_of,
    reference,
    scopes,
    text,
)

PERSON = (text("first_name"), text("last_name"), text("email"))

PRACTITIONERS = Table(
    name="practitioners",
    scope="clinic",
    key=("practitioner_id",),
    copies=BOTH_COPIES,
    columns=(
        *PERSON,
        reference("practitioner_type_id").published(),
        flag("invite_accepted"),
        text("external_id", "metadata.id"),
    ),
    untyped=("metadata",),
)

STAFF = Table(
    name="staff",
    scope="clinic",
    key=("staff_id",),
    columns=(*PERSON, flag("invite_accepted"), text("external_id", "metadata.id")),
    untyped=("metadata",),
)

PRACTITIONERS_RESOURCE = Resource(
    name="practitioners",
    texts={"practitioners": "Who recommends: the clinic's practitioners."},
    tables=(PRACTITIONERS,),
    endpoints=(
        list_of("practitioners", "/clinic/practitioners", scopes.CLINIC),
        detail("practitioner", "/clinic/practitioners/{id}", scopes.CLINIC),
    ),
    group="clinical",
    contains_phi=False,
    listing="whole list",
    estimate=WHOLE_LIST,
)

STAFF_RESOURCE = Resource(
    name="staff",
    texts={"staff": "The clinic's staff."},
    tables=(STAFF,),
    endpoints=(
        list_of("staff", "/clinic/staff", scopes.CLINIC, "staff", "staff_members"),
        detail("staff_member", "/clinic/staff/{id}", scopes.CLINIC, "staff", "staff_member"),
    ),
    group="clinical",
    contains_phi=False,
    listing="whole list",
    estimate=WHOLE_LIST,
)
