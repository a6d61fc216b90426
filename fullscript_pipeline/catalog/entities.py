"""The kinds of catalog object whose past is compared, and their fields under the vendor's paths.

What does not belong here: comparing (changes.py) and how a change is shown (output.py, the reports room).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind: its history table, its id column, and for each vendor path the SQL (over `v`) of its value as text."""

    name: str
    table: str
    id: str
    fields: tuple[tuple[str, str], ...]
    product_id: str = "NULL::VARCHAR"
    brand_id: str = "NULL::VARCHAR"
    label: str = "v.name"

    @property
    def field_list(self) -> str:
        """The fields as a SQL list of structs (field, value)."""
        return "[" + ", ".join(f"{{'field': '{path}', 'value': {sql}}}" for path, sql in self.fields) + "]"


def _same(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"v.{name}") for name in names)


# A count as the vendor writes it (`60`, not `60.0000`); what could not be typed stands as it is.
_UNITS = "coalesce(regexp_replace(v.units::VARCHAR, '\\.?0+$', ''), v.units_raw)"
# The price as written where that is kept; otherwise with at least two decimals.
_PRICE = "coalesce(v.msrp_raw, regexp_replace(v.msrp::VARCHAR, '(\\.\\d\\d\\d*?)0+$', '\\1'))"

BRAND = Entity("brand", "history.brands", "brand_id", _same("name", "prefix", "status"), brand_id="v.brand_id")
PRODUCT = Entity(
    "product",
    "history.products",
    "product_id",
    (
        *_same("name", "brand_id", "description_html"),
        ("dosage.recommended_amount", "v.dosage_recommended_amount"),
        ("dosage.recommended_frequency", "v.dosage_recommended_frequency"),
        ("dosage.recommended_duration", "v.dosage_recommended_duration"),
        ("dosage.format", "v.dosage_format"),
        ("dosage.additional_info", "v.dosage_additional_info"),
    ),
    product_id="v.product_id",
    brand_id="v.brand_id",
)
VARIANT = Entity(
    "variant",
    "history.variants",
    "variant_id",
    (
        *_same("product_id", "name", "sku", "unit_of_measure", "availability", "status", "upc", "supplier_sku"),
        ("primary", "v.is_primary::VARCHAR"),
        ("units", _UNITS),
        ("msrp", _PRICE),
    ),
    product_id="v.product_id",
    # Variants are mostly told apart by their SKU; their ids are opaque.
    label="coalesce(v.name, v.sku)",
)


def _named(name: str, table: str) -> Entity:
    return Entity(name, f"history.{table}", f"{name}_id", _same("name"))


ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        BRAND,
        PRODUCT,
        VARIANT,
        _named("ingredient", "ingredients"),
        _named("allergen", "allergens"),
        _named("supplement_type", "supplement_types"),
        _named("third_party_certification", "third_party_certifications"),
    )
}
DEFAULT_ENTITIES = ("brand", "product", "variant")
FIELDS = sorted({path for entity in ENTITIES.values() for path, _ in entity.fields})
