"""What is read of a catalog on request only, against the sandbox over HTTP: attributes of products, custom dosages.

That every row is right is told by the comparison with the API (`compare/`); here: at what cost, what a second pull
writes, and that the history says what was and is no more.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from fullscript_pipeline.extraction.pulls import clinic, optional_resources, treatment_plans
from fullscript_pipeline.extraction.pulls.catalog import pull_products, pull_reference_lists
from fullscript_pipeline.extraction.pulls.custom_dosages import pull_custom_dosages
from fullscript_pipeline.sandbox.responses import catalog as catalog_answers
from fullscript_pipeline.sandbox.responses.clinic import Listing, WrappedRecord
from fullscript_pipeline_tests.helpers.clinic_pull import OneClinic
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

pytestmark = pytest.mark.check_all

ATTRIBUTES = ("product_ingredients", "product_allergens", "product_supplement_types")
SEARCH = "/catalog/search/products"


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneClinic]:
    """A clinic whose app may search, with its catalog and its plans."""
    with connected_pipeline(tmp_path_factory.mktemp("granted"), clinics=0, patients=30, products=60) as connected:
        slugs = [slug for slug, facts in connected.sandbox.clinics.items() if facts["server"].startswith("ca")]
        connected.connect(slugs[0])
        cell = OneClinic(connected)
        clinic.pull_people(cell.target, cell.session)
        clinic.pull_patients(cell.target, cell.session)
        treatment_plans.pull_plans(cell.target, cell.session, [])
        pull_reference_lists(cell.target, [cell.session])
        pull_products(cell.target, [cell.session])
        cell.count_requests()
        yield cell
        cell.session.close()


def test_attributes_cost_a_search_per_value_and_then_a_share(granted: OneClinic) -> None:
    reports = optional_resources.pull_region_extras(granted.target, [granted.session], ATTRIBUTES)
    assert [(report.resource, report.outcome) for report in reports] == [(name, "loaded") for name in ATTRIBUTES]
    values = "SELECT (SELECT count(*) FROM core.ingredients) + (SELECT count(*) FROM core.allergens) + "
    ((number,),) = granted.rows(f"{values} (SELECT count(*) FROM core.supplement_types)")
    assert granted.count_requests() == {SEARCH: number}
    products = granted.rows("SELECT count(DISTINCT product_id) FROM core.product_ingredients")
    assert products[0][0] > 0
    again = optional_resources.pull_region_extras(granted.target, [granted.session], ATTRIBUTES)
    assert granted.count_requests()[SEARCH] < number / 4
    assert {(one.added, one.changed, one.removed) for row in again for one in row.counts.values()} == {(0, 0, 0)}


def test_a_product_that_loses_an_allergen_keeps_its_past(granted: OneClinic, monkeypatch: pytest.MonkeyPatch) -> None:
    optional_resources.pull_region_extras(granted.target, [granted.session], ("product_allergens",), sweep_days=1)
    ((lost, rows),) = granted.rows(
        "SELECT max(product_id), count(*) FILTER (product_id = max_id) FROM core.product_allergens, "
        "(SELECT max(product_id) AS max_id FROM core.product_allergens)"
    )

    granted.next_day()

    def search_without_it(key: str, rows: list[dict[str, Any]]) -> Listing:
        return Listing(key=key, rows=[row for row in rows if row["id"] != lost])

    monkeypatch.setattr(catalog_answers, "Listing", search_without_it)
    (report,) = optional_resources.pull_region_extras(
        granted.target, [granted.session], ("product_allergens",), sweep_days=1
    )
    assert report.counts["product_allergens"].removed == rows
    where = f"WHERE product_id = '{lost}'"
    assert granted.rows(f"SELECT count(*) FROM core.product_allergens {where} AND removed_at IS NULL") == [(0,)]
    assert granted.rows(f"SELECT count(*) FROM history.product_allergens {where}") == [(2 * rows,)]


def test_a_custom_dosage_belongs_to_its_practitioner_and_ends(
    granted: OneClinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted.count_requests()
    first = pull_custom_dosages(granted.target, granted.session, sweep_days=1)
    ((pairs,),) = granted.rows(
        """SELECT count(DISTINCT (plan.practitioner_id, variant.product_id)) FROM core.treatment_plans AS plan
        JOIN core.recommendations AS line USING (treatment_plan_id) JOIN core.variants AS variant USING (variant_id)"""
    )
    assert granted.count_requests() == {"/catalog/products/{id}": pairs}
    # In this world only the owner has set any.
    ((owners, dosed),) = granted.rows("SELECT count(DISTINCT practitioner_id), count(*) FROM core.custom_dosages")
    assert owners == 1
    assert first.counts["custom_dosages"].added == dosed
    granted.next_day()
    monkeypatch.setattr(
        catalog_answers,
        "WrappedRecord",
        lambda key, record: WrappedRecord(key=key, record=record | {"custom_dosage": None}),
    )
    assert pull_custom_dosages(granted.target, granted.session, sweep_days=1).counts["custom_dosages"].removed == dosed
    assert granted.rows("SELECT count(*) FROM core.custom_dosages WHERE removed_at IS NULL") == [(0,)]
    assert granted.rows("SELECT count(*) FROM history.custom_dosages WHERE removed_at IS NULL") == [(dosed,)]
