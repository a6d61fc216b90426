"""The endpoint table: complete, and only for reading."""

import pytest

from fullscript_pipeline.api import ENDPOINTS

# Every documented GET but the two dynamic links, which answer a sign-in link.
_DOCUMENTED_PATHS = """
/clinic /clinic/staff /clinic/staff/{} /clinic/practitioners /clinic/practitioners/{} /catalog/practitioner_types
/clinic/fullscript_protocols /clinic/practitioners/{}/protocols /clinic/protocols/{} /clinic/practitioners/{}/templates
/clinic/templates/{} /clinic/labs/orders /clinic/labs/orders/{} /clinic/labs/tests/{}
/clinic/practitioners/{}/resources /clinic/practitioners/{}/resources/{} /clinic/fullscript_resources /clinic/metadata
/clinic/patients /clinic/patients/{} /clinic/patients/{}/dependents /clinic/search/patients
/clinic/patients/{}/addresses /clinic/orders /clinic/orders/{} /clinic/patients/{}/orders
/clinic/patients/{}/treatment_plans /clinic/treatment_plans/{} /catalog/products /catalog/products/{}
/catalog/products/{}/similar /clinic/categories /clinic/categories/{} /clinic/categories/{}/products
/catalog/search/products /catalog/allergens /catalog/allergens/{} /catalog/brands /catalog/brands/{}
/catalog/ingredients /catalog/ingredients/{} /catalog/supplement_types /catalog/supplement_types/{}
/catalog/third_party_certifications /catalog/third_party_certifications/{} /catalog/variants/{} /webhooks/deliveries
/events/clinic_keys /events/{} /events/lab_orders /events/orders /events/patients /events/products
/events/treatment_plans
"""


def _anonymous(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def test_the_table_holds_every_documented_read_once() -> None:
    paths = [_anonymous(endpoint.path) for endpoint in ENDPOINTS.values()]
    documented = _DOCUMENTED_PATHS.split()
    assert sorted(paths) == sorted(documented)
    assert len(documented) == 54


def test_only_the_documented_lists_are_restricted() -> None:
    restricted = {name for name, endpoint in ENDPOINTS.items() if endpoint.restricted}
    assert restricted == {"products", "similar_products", "search_products"}


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=lambda endpoint: endpoint.name)
def test_each_row_agrees_with_itself(endpoint: object) -> None:
    row = next(row for row in ENDPOINTS.values() if row is endpoint)
    assert (row.kind == "detail") == (row.path.endswith("}") or row.name == "clinic")
    nested = row.kind == "list" and "{" in row.path
    assert row.paginated == (row.kind == "list" and not nested and row.name != "similar_products")
    assert row.wrapper_keys
    assert row.path.startswith("/")


def test_values_are_encoded_into_the_path() -> None:
    assert ENDPOINTS["order"].url_path({"id": "a/../b?c#d é"}) == "/clinic/orders/a%2F..%2Fb%3Fc%23d%20%C3%A9"
