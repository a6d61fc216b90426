"""The kinds of catalog object whose history is compared, and their fields under the vendor's paths.

What does not belong here: comparing (changes.py) and how a change is shown (formats.py, the reports room).
"""

import re
from dataclasses import dataclass
from typing import NamedTuple


class EntityField(NamedTuple):
    """A field: the vendor's path, and the SQL (over `v`) of its value as text.

    `number`: a column whose different values always are different texts, so that they need not be written to compare.
    """

    path: str
    sql: str
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """One kind: its history table, its id column, and its fields.

    `listing`: the resource in ops.pulls that lists all objects of the kind. `proof`: a condition that proves that an
    object first seen at `p.first_at` is new, where no earlier complete listing does; it is SQL over the new version
    `n`, the comparison `p` and the debut `d` of its product. `known`: keys in `extra` that are compared under other
    names or derived from others. `known_at`: the column with the time at which a version was seen.
    """

    name: str
    table: str
    id: str
    fields: tuple[EntityField, ...]
    listing: str
    proof: str = "false"
    known: tuple[str, ...] = ()
    has_extra: bool = True
    product_id: str = "NULL::VARCHAR"
    brand_id: str = "NULL::VARCHAR"
    label: str = "v.name"
    known_at: str = "known_at"

    def parts(self) -> dict[str, str]:
        """The values of the placeholders in sql/. The number of a field is its place in `fields`, from 1."""
        known = ", ".join(f'"{key}": null' for key in self.known)
        extra = EntityField("extra", f"json_merge_patch(v.extra, '{{{known}}}')::VARCHAR")
        cases = " ".join(f"WHEN {number} THEN {field.sql}" for number, field in enumerate(self.fields, start=1))
        value_sql = f"CASE p.nth {cases} END" if cases else "NULL"
        compared = (*self.fields, extra) if self.has_extra else self.fields
        bits = [f"({_differs(field)})::INTEGER * {1 << number}" for number, field in enumerate(compared, start=1)]
        return {
            "table": self.table,
            "id": self.id,
            "known_at": self.known_at,
            "listing": self.listing,
            "proof": self.proof,
            "differs": " + ".join(bits) or "0",
            "untyped": str(len(self.fields) + 1),
            "path": "[" + ", ".join(f"'{field.path}'" for field in self.fields) + "][p.nth]" if cases else "NULL",
            "old_value": _of("o", value_sql),
            "new_value": _of("n", value_sql),
            "old_extra": "o.extra" if self.has_extra else "NULL::JSON",
            "new_extra": "n.extra" if self.has_extra else "NULL::JSON",
            "known": "[" + ", ".join(f"'{key}'" for key in self.known) + "]::VARCHAR[]",
            "product_id": _of("n", self.product_id),
            "brand_id": _of("n", self.brand_id),
            "name": _of("n", self.label),
        }


def _of(alias: str, sql: str) -> str:
    """SQL over `v`, rewritten for another alias."""
    return re.sub(r"\bv\.", f"{alias}.", sql)


def _differs(field: EntityField) -> str:
    """SQL: whether the field differs between the versions `s` and `n`. Most columns are equal and need no text."""
    text = f"{_of('s', field.sql)} IS DISTINCT FROM {_of('n', field.sql)}"
    columns = sorted(set(re.findall(r"\bv\.(\w+)", field.sql)))
    if field.sql == f"v.{columns[0]}":
        return text
    number = f"WHEN s.{field.number} <> n.{field.number} THEN true " if field.number else ""
    equal = " AND ".join(f"s.{column} IS NOT DISTINCT FROM n.{column}" for column in columns)
    return f"CASE {number}WHEN {equal} THEN false ELSE {text} END"


def _same(*names: str) -> tuple[EntityField, ...]:
    return tuple(EntityField(name, f"v.{name}") for name in names)


# Units and prices are DECIMAL(18,4), so their text always has four decimals; cutting it is much cheaper than a pattern.
# A count as the vendor writes it (`60`, not `60.0000`). A value that could not be typed stays as it was sent.
_UNITS = "coalesce(rtrim(rtrim(v.units::VARCHAR, '0'), '.'), v.units_raw)"
# A price has at least two decimals (`42.10`, also if a server writes 42.1), or none if it was sent without any. A value
# that is not a number stays as it was sent.
_PRICE = (
    "CASE WHEN v.msrp IS NULL OR NOT contains(coalesce(v.msrp_raw, '.'), '.') THEN v.msrp_raw "
    "WHEN ends_with(v.msrp::VARCHAR, '00') THEN left(v.msrp::VARCHAR, -2) "
    "WHEN ends_with(v.msrp::VARCHAR, '0') THEN left(v.msrp::VARCHAR, -1) ELSE v.msrp::VARCHAR END"
)

BRAND = Entity(
    name="brand",
    table="history.brands",
    id="brand_id",
    fields=_same("name", "prefix", "status"),
    listing="brands",
    brand_id="v.brand_id",
)
PRODUCT = Entity(
    name="product",
    table="history.products",
    id="product_id",
    fields=(
        *_same("name", "brand_id", "description_html"),
        EntityField("dosage.recommended_amount", "v.dosage_recommended_amount"),
        EntityField("dosage.recommended_frequency", "v.dosage_recommended_frequency"),
        EntityField("dosage.recommended_duration", "v.dosage_recommended_duration"),
        EntityField("dosage.format", "v.dosage_format"),
        EntityField("dosage.additional_info", "v.dosage_additional_info"),
    ),
    listing="products",
    proof="d.is_new",
    # The brand's name belongs to the brand, variants and their facts to the variants, a custom dosage to the clinic
    # that sent the request.
    known=("brand", "dosage", "primary_variant", "variants", "variant_ids", "custom_dosage"),
    product_id="v.product_id",
    brand_id="v.brand_id",
)
VARIANT = Entity(
    name="variant",
    table="history.variants",
    id="variant_id",
    fields=(
        *_same("product_id", "name", "sku", "unit_of_measure", "availability", "status", "upc", "supplier_sku"),
        EntityField("primary", "v.is_primary::VARCHAR"),
        EntityField("units", _UNITS, number="units"),
        EntityField("msrp", _PRICE, number="msrp"),
    ),
    listing="products",
    # An answer with a product always holds all its variants: a variant that a known product did not have is new.
    proof="d.is_new OR d.first_at < p.first_at",
    known=("product",),
    product_id="v.product_id",
    # Readers know a variant by its SKU; its id is opaque.
    label="coalesce(v.name, v.sku)",
)
CATEGORY_PRODUCT = Entity(
    name="category_product",
    table="history.category_memberships",
    id="membership_id",
    fields=(),
    listing="",
    # A product in a category that was known before is new there. In a category first seen, all products are only
    # first seen.
    proof="p.first_at > (SELECT min(k.observed_at) FROM core.categories AS k WHERE k.clinic_id = n.clinic_id "
    "AND k.category_id = n.category_id)",
    has_extra=False,
    product_id="v.product_id",
    label="v.category_name",
    known_at="valid_from",
)


def _named(name: str, table: str) -> Entity:
    return Entity(name=name, table=f"history.{table}", id=f"{name}_id", fields=_same("name"), listing=table)


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
        CATEGORY_PRODUCT,
    )
}
DEFAULT_ENTITIES = ("brand", "product", "variant")
FIELDS = sorted({field.path for entity in ENTITIES.values() for field in entity.fields})
