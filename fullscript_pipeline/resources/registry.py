"""Every resource, found by its module, and what is derived from all of them.

What does not belong here: what is known of a single resource (its module).
"""

import pkgutil
from importlib import import_module
from pathlib import Path

from fullscript_pipeline.resources.types import Endpoint, Resource, Table

# The order in which tables are made and event feeds are read: an object comes before those that refer to it. A resource
# that is not listed follows, in the order of its module's name.
_ORDER = (
    "clinics",
    "practitioners",
    "staff",
    "patients",
    "treatment_plans",
    "orders",
    "lab_orders",
    "lab_tests",
    "brands",
    "products",
    "ingredients",
    "allergens",
    "supplement_types",
    "third_party_certifications",
    "practitioner_types",
    "categories",
    "clinic_brands",
    "similar_products",
    "product_searches",
    "product_ingredients",
    "product_allergens",
    "product_supplement_types",
    "product_third_party_certifications",
    "variants",
    "protocols",
    "templates",
    "resources",
    "external_ids",
    "addresses",
    "custom_dosages",
    "webhook_deliveries",
    "events",
    "clinic_keys",
)


def _find_resources() -> tuple[Resource, ...]:
    """The `Resource` objects of the modules beside this one."""
    modules = [
        import_module(f"{__package__}.{module.name}")
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if not module.ispkg and module.name != Path(__file__).stem
    ]
    resources = {
        value.name: value for module in modules for value in vars(module).values() if isinstance(value, Resource)
    }
    listed = [resources.pop(name) for name in _ORDER]
    return (*listed, *resources.values())


ALL_RESOURCES = _find_resources()
_BY_NAME = {resource.name: resource for resource in ALL_RESOURCES}
ALL_TABLES: tuple[Table, ...] = tuple(table for resource in ALL_RESOURCES for table in resource.all_tables)
ALL_ENDPOINTS: tuple[Endpoint, ...] = tuple(
    endpoint for resource in ALL_RESOURCES for endpoint in resource.all_endpoints
)


def resource_named(name: str) -> Resource:
    """The resource with this name. Raises KeyError for a name that no resource has."""
    return _BY_NAME[name]
