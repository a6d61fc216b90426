"""What the fields of catalog changes are called, and what happened to an object, in words that a page can translate.

A field without a word here keeps the vendor's path. What does not belong here: sections of a digest (the catalog room),
values.
"""

from fullscript_pipeline.catalog import CatalogChange
from fullscript_pipeline.reports.language import PageLanguage, translatable

_FIELDS = {
    "name": translatable("Name"),
    "brand_id": translatable("Brand"),
    "description_html": translatable("Description"),
    "dosage.recommended_amount": translatable("Recommended amount"),
    "dosage.recommended_frequency": translatable("How often"),
    "dosage.recommended_duration": translatable("How long"),
    "dosage.format": translatable("Form"),
    "dosage.additional_info": translatable("Directions"),
    "product_id": translatable("Product"),
    "sku": translatable("SKU"),
    "unit_of_measure": translatable("Unit"),
    "availability": translatable("Availability"),
    "status": translatable("Status"),
    "upc": translatable("UPC"),
    "supplier_sku": translatable("Supplier's SKU"),
    "primary": translatable("Main variant"),
    "units": translatable("Pack size"),
    "msrp": translatable("Price (MSRP)"),
    "prefix": translatable("Brand prefix"),
}
_HAPPENED = {
    ("product", "added"): translatable("New product"),
    ("product", "removed"): translatable("Product gone"),
    ("product", "returned"): translatable("Product is back"),
    ("variant", "added"): translatable("New variant"),
    ("variant", "removed"): translatable("Variant gone"),
    ("variant", "returned"): translatable("Variant is back"),
    ("brand", "added"): translatable("New brand"),
    ("brand", "removed"): translatable("Brand gone"),
    ("brand", "returned"): translatable("Brand is back"),
    ("category_product", "added"): translatable("Put into a clinic's category"),
    ("category_product", "removed"): translatable("Taken out of a clinic's category"),
    ("category_product", "returned"): translatable("Back in a clinic's category"),
}


def field_words(field: str, language: PageLanguage) -> str:
    """`Price (MSRP)`, `New variant` of `variant added`; the vendor's path of a field that has no word."""
    entity, _, change = field.partition(" ")
    words = _FIELDS.get(field) or _HAPPENED.get((entity, change))
    return language.gettext(words) if words else field


def change_words(change: CatalogChange, language: PageLanguage) -> str:
    """The field in words, or what happened to the object: `New variant`."""
    return field_words(change.field or f"{change.entity} {change.change}", language)
