"""What plans, protocols and documents have alike: their lines, attached documents, lab panels, whose they are.

What does not belong here: plans (`treatment_plans`) and protocols (`protocols`).
"""

from dataclasses import replace

from fullscript_pipeline.resources.types import (
    Column,
    Copy,
    Kind,
    Table,
    flag,
    integer,
    reference,
    text,
    texts,
)

# What is listed under a practitioner has that practitioner as its parent; Fullscript's own has none.
OWNER = Column(name="owner", sql="if(parent_id IS NULL, 'fullscript', 'practitioner')")

# In every copy for analysts that has the table; what people wrote (dosages) is in none.
_PUBLISHED_OF_A_LINE = (reference("variant_id"), integer("units_to_purchase"), flag("refill"))


def recommendations(name: str, parent: str, *, history: bool, copies: tuple[Copy, ...] = ()) -> Table:
    """The lines of a plan or of a protocol, in the vendor's order."""
    return Table(
        name=name,
        scope="clinic",
        key=(parent, "position"),
        by_position=True,
        history=history,
        copies=copies,
        columns=(
            *(replace(column, copies=copies) for column in _PUBLISHED_OF_A_LINE),
            text("take_with"),
            text("dosage_amount", "dosage.amount", "dosage.recommended_amount"),
            text("dosage_frequency", "dosage.frequency", "dosage.recommended_frequency"),
            text("dosage_duration", "dosage.duration", "dosage.recommended_duration"),
            text("dosage_format", "dosage.format"),
            text("dosage_additional_info", "dosage.additional_info"),
            texts("dosage_time_of_day", "dosage.time_of_day"),
        ),
        untyped=("dosage",),
    )


def resources(name: str, parent: str, *, history: bool) -> Table:
    """The documents attached to a plan or to a protocol."""
    return Table(
        name=name,
        scope="clinic",
        key=(parent, "position"),
        by_position=True,
        history=history,
        columns=(
            text("resource_id", "id"),
            text("name"),
            text("resource_type", "type"),
            text("category"),
            text("attachment_url"),
        ),
    )


def lab_recommendations(name: str, parent: str, *, history: bool) -> Table:
    """The lab panels that a plan or a protocol recommends, each with its tests as two lists of equal length."""
    return Table(
        name=name,
        scope="clinic",
        key=(parent, "position"),
        by_position=True,
        history=history,
        columns=(
            text("lab_recommendation_id", "id"),
            text("name"),
            flag("requires_fasting"),
            text("instructions"),
            Column(name="lab_test_ids", kind=Kind.LIST, source=("tests",), sql=_of_tests("id")),
            Column(name="lab_test_names", kind=Kind.LIST, source=("tests",), sql=_of_tests("name")),
        ),
    )


def _of_tests(key: str) -> str:
    # From the whole record: a list of objects does not fit the struct of text that other columns are read from.
    return f"coalesce(list_transform(json_extract(record, '$.tests[*]'), lambda one: one->>'$.{key}'), [])"
