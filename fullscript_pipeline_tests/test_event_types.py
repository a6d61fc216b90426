"""The table of events against the feeds of the reference, both ways, and against the types that code names."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullscript_pipeline.event_types import EVENT_FAMILIES, TYPES, Also, event_family, row_of

DOCS = Path(__file__).parents[1] / "docs"


def test_every_documented_type_has_its_row_and_its_feed_and_the_reverse() -> None:
    text = (DOCS / "fullscript-api/events.md").read_text()
    feeds = re.findall(r"^\| `GET /events/(\w+)` \| (.*?) \| (.*?) \|", text, re.MULTILINE)
    assert [f"{path.removesuffix('s')}_events" for path, _, _ in feeds] == [
        family.feed.name for family in EVENT_FAMILIES
    ]
    types = [name for _, shown, _ in feeds for name in re.findall(r"`([a-z_.]+)`", shown)]
    assert types == [row.pattern for row in TYPES if row.is_documented]
    scopes = [(re.findall(r"`(.*?)`", scope) or [None])[0] for _, _, scope in feeds]
    assert scopes == [family.feed.scope for family in EVENT_FAMILIES]


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("order.placed", "order"),
        ("orders.placed", "order"),
        ("Lab_Order.updated", "lab_order"),
        ("LabOrder.updated", "lab_order"),
        ("treatment-plan.shared", "treatment_plan"),
        ("treatmentplan.shared", None),
        ("lab_order_item.updated", None),
        ("practitioner.moved", None),
        ("", None),
        (None, None),
    ],
)
def test_the_beginning_of_a_type_names_its_family(name: str | None, prefix: str | None) -> None:
    family = event_family(name)
    assert (family.prefix if family else None) == prefix


@pytest.mark.parametrize(
    ("name", "pattern", "also"),
    [
        ("order.placed", "order.placed", (Also.LAB_ORDERS,)),
        ("order.refunded", "order.*", (Also.LAB_ORDERS,)),
        ("patient.merged", "patient.*merg*", (Also.BELONGINGS,)),
        ("patients.merge_completed", "patient.*merg*", (Also.BELONGINGS,)),
        ("patient.emancipated", "patient.emancipated", (Also.TIE,)),
        ("clinic_key.revoked", "clinic_key.revoked", (Also.NOTICE,)),
        ("clinic_key.rotated", "*", (Also.NOTICE,)),
        ("practitioner.moved", "*", (Also.NOTICE,)),
    ],
)
def test_the_first_row_that_fits_counts(name: str, pattern: str, also: tuple[Also, ...]) -> None:
    assert (row_of(name).pattern, row_of(name).also) == (pattern, also)


@given(st.none() | st.text())
def test_any_text_has_a_row(name: str | None) -> None:
    assert row_of(name) in TYPES


def test_every_type_that_the_program_names_is_in_the_table() -> None:
    """Its Python and its SQL, the sandbox's too: a type that is renamed in the table is named nowhere else."""
    prefixes = "|".join(family.prefix for family in EVENT_FAMILIES)
    literal = re.compile(rf"""["']((?:{prefixes})\.(?!id\b)[a-z_]+(?:\.[a-z_]+)?)["']""")
    documented = {row.pattern for row in TYPES if row.is_documented}
    # What the sandbox plays without any documentation, a template, and a browser event of Embed.
    others = {"patient.merged", "patient.html", "patient.selected"}
    package = DOCS.parent / "fullscript_pipeline"
    named = {
        name
        for path in (*package.rglob("*.py"), *package.rglob("*.sql"))
        if path.parent.name != "resources"
        for name in literal.findall(path.read_text(encoding="utf-8"))
    }
    assert named - others <= documented
    assert "treatment_plan.recommendation.updated" in named
