"""What the endpoints of the catalog answer. What does not belong here: who may call them (`endpoints`, `routes`)."""

from fullscript_pipeline.sandbox.pages import sorted_by
from fullscript_pipeline.sandbox.responses.clinic import Call, Listing, NotFoundError, WrappedRecord, look_up
from fullscript_pipeline.sandbox.world import Record

# Search arguments that take several ids, written `name[]=a&name[]=b`; a product must have all of them.
ID_LISTS = ("allergen_ids", "ingredient_ids", "supplement_type_ids", "third_party_certification_ids")
MOST_SIMILAR = 12


def products(call: Call) -> Listing:
    """The whole catalog of the region."""
    return Listing(key="products", rows=list(call.clinic.catalog.products.values()))


def product(call: Call) -> WrappedRecord:
    """One product, with the calling practitioner's own dosage when there is one (the token's owner by default)."""
    record = look_up(call.clinic.catalog.products, call)
    practitioner_id = call.params.get("practitioner_id", call.user.id)
    custom = call.clinic.custom_dosages.get(record["id"]) if practitioner_id == call.clinic.owner_id else None
    return WrappedRecord(key="product", record={**record, "custom_dosage": custom} if custom else record)


def variant(call: Call) -> WrappedRecord:
    """One variant, with its product's id and name."""
    record, product_record = look_up(call.clinic.catalog.variants, call)
    return WrappedRecord(
        key="variant", record={**record, "product": {"id": product_record["id"], "name": product_record["name"]}}
    )


def category_products(call: Call) -> Listing:
    """The products of a category, whole, by name."""
    if call.ids["category_id"] not in call.clinic.categories:
        raise NotFoundError
    rows = call.clinic.in_category(call.ids["category_id"])
    return Listing(key="products", rows=sorted_by(rows, call.params, {"name": "name"}))


def brands(call: Call) -> Listing:
    """All brands, those with something on sale (`available`) or those the clinic has access to (`clinic_permitted`)."""
    rows = list(call.clinic.catalog.vocabularies["brands"].values())
    if call.params.get("available") == "true":
        products_on_sale = filter(_on_sale, call.clinic.catalog.products.values())
        selling = {row["brand"]["id"] for row in products_on_sale}
        rows = [row for row in rows if row["id"] in selling]
    if call.params.get("clinic_permitted") == "true":
        rows = [row for row in rows if row["id"] not in call.clinic.denied_brands]
    return Listing(key="brands", rows=rows)


def similar(call: Call) -> Listing:
    """Products for the same purpose, from most to least popular."""
    catalog, key = call.clinic.catalog, call.ids["product_id"]
    if key not in catalog.products:
        raise NotFoundError
    topic, own = catalog.topics[key], catalog.traits[key]
    rows = [
        catalog.products[product_id]
        for product_id, purpose in catalog.topics.items()
        if purpose == topic and product_id != key
    ]
    rows.sort(key=lambda row: (-len(own & catalog.traits[row["id"]]), str(row["id"])))
    return Listing(key="products", rows=rows[:MOST_SIMILAR])


def search(call: Call) -> Listing:
    """Products whose name or brand holds the query, of the brands this clinic has access to."""
    catalog, query = call.clinic.catalog, call.params.get("query", "").casefold().strip()
    brand_id = call.params.get("brand_id")
    traits = {key for name in ID_LISTS for key in call.params.getlist(f"{name}[]")}
    rows = [
        row
        for key, row in catalog.products.items()
        if traits <= catalog.traits[key]
        and row["brand"]["id"] not in call.clinic.denied_brands
        and brand_id in {None, row["brand"]["id"]}
        and query in f"{row['name']} {row['brand']['name']}".casefold()
    ]
    return Listing(key="products", rows=[row | {"primary_variant": _primary(row)} for row in rows])


def _on_sale(row: Record) -> bool:
    return any(variant["status"] == "available" for variant in row["variants"])


def _primary(row: Record) -> Record:
    first = next((variant for variant in row["variants"] if variant["primary"]), row["variants"][0])
    return {key: first[key] for key in ("sku", "units", "unit_of_measure")}
