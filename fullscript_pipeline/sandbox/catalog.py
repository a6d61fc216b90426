"""Makes a region's catalog. What does not belong here: how it changes afterwards (`catalog_simulator`)."""

from collections.abc import Iterable, Sequence
from random import Random

from fullscript_pipeline.sandbox import word_lists as words
from fullscript_pipeline.sandbox.seeded_random import new_id, rng_for
from fullscript_pipeline.sandbox.word_lists import Formula
from fullscript_pipeline.sandbox.world import Catalog, Record

# When every brand makes every formula, further products are variations on them.
EDITIONS = ("", " Plus", " Forte", " Professional", " Select", " Kids", " Advanced", " Essentials")


def make_catalog(seed: int, region: str, products: int) -> Catalog:
    """A catalog of `products` products with two variants each (a few have three)."""
    rng = rng_for(seed, "catalog", region)
    lists = _vocabularies(rng)
    catalog = Catalog(region=region, vocabularies=lists, unmade=_unmade(lists["brands"], rng))
    for _ in range(products):
        add_product(catalog, rng)
    return catalog


def add_product(catalog: Catalog, rng: Random) -> Record:
    """Makes the next product the region's brands have not made yet and puts it on sale."""
    brand_id, formula = catalog.unmade.pop()
    brand = catalog.vocabularies["brands"][brand_id]
    product: Record = {
        "id": new_id(rng),
        "name": formula.name,
        "description_html": description(formula.name, str(brand["name"]), rng),
        "dosage": label_dosage(formula.unit, rng),
        "brand": {key: brand[key] for key in ("id", "name", "prefix")},
        "variants": [
            _variant(formula, size, position=position, prefix=str(brand["prefix"]), rng=rng)
            for position, size in enumerate(formula.packs)
        ],
    }
    if rng.random() < 0.1:
        product["variants"].append(
            _variant(formula, formula.packs[1] * 2, position=2, prefix=str(brand["prefix"]), rng=rng)
        )
    catalog.add(product, formula.topic, _traits(catalog, formula, product["id"]))
    return product


def description(name: str, brand: str, rng: Random) -> str:
    """Some marketing, as HTML."""
    first, second = rng.sample(words.ADJECTIVES, 2)
    return f"<p>{name} by {brand.replace('&', '&amp;')}: {first} and {second}.</p>"


def label_dosage(unit: str, rng: Random) -> Record:
    """What the label suggests."""
    return {
        "recommended_amount": rng.choice(("5", "10") if unit in {"mL", "g"} else ("1", "2", "1-2")),
        "recommended_frequency": rng.choice(("once per day", "twice per day", "three times per day")),
        "recommended_duration": rng.choice((None, "as needed", "ongoing")),
        "format": unit,
        "additional_info": rng.choice(("with meals", None, "")),
    }


def _traits(catalog: Catalog, formula: Formula, product_id: str) -> frozenset[str]:
    # Drawn apart from everything else, so that searching more or less of it never changes the world.
    rng = rng_for("traits", product_id)
    lists = catalog.vocabularies
    traits = [key for key, row in lists["ingredients"].items() if row["name"] == formula.ingredient]
    traits.append(rng.choice(list(lists["supplement_types"])))
    traits += rng.sample(list(lists["allergens"]), rng.randint(1, 4))
    traits += rng.sample(list(lists["third_party_certifications"]), rng.randint(0, 2))
    return frozenset(traits)


def _variant(formula: Formula, size: int, position: int, prefix: str, rng: Random) -> Record:
    # Small packs cost more per piece; a few packs have no size, as in the vendor's own samples.
    price = formula.price * (size / formula.packs[0]) ** 0.85 * rng.uniform(0.85, 1.2)
    unknown = rng.random() < 0.015
    stocked = rng.random() > 0.06
    return {
        "id": new_id(rng),
        "sku": f"{prefix}{rng.randrange(10**7):07d}",
        "primary": position == 0,
        "units": None if unknown else size,
        "unit_of_measure": None if unknown else formula.unit,
        "availability": "In Stock" if stocked else "Out of Stock",
        "status": "available" if stocked else "unavailable",
        "upc": f"{rng.randrange(10**12):012d}" if rng.random() < 0.8 else None,
        "msrp": f"{price:.2f}",
        "supplier_sku": f"S-{rng.randrange(10**5):05d}" if rng.random() < 0.5 else None,
    }


def _vocabularies(rng: Random) -> dict[str, dict[str, Record]]:
    names: dict[str, Sequence[str]] = {
        "brands": words.BRANDS,
        "ingredients": sorted({formula.ingredient for formula in words.FORMULAS}),
        "allergens": words.ALLERGENS,
        "supplement_types": words.SUPPLEMENT_TYPES,
        "third_party_certifications": words.CERTIFICATIONS,
        "practitioner_types": words.PRACTITIONER_TYPES,
    }
    lists: dict[str, dict[str, Record]] = {}
    for kind, listed in names.items():
        rows: list[Record] = [{"id": new_id(rng), "name": name} for name in listed]
        lists[kind] = {row["id"]: row for row in rows}
    for brand in lists["brands"].values():
        brand |= {"prefix": "".join(filter(str.isalpha, brand["name"])).upper()[:3], "status": "available"}
    return lists


def _unmade(brand_ids: Iterable[str], rng: Random) -> list[tuple[str, Formula]]:
    pairs: list[tuple[str, Formula]] = []
    brands = list(brand_ids)
    for edition in reversed(EDITIONS):
        batch = [
            (brand, formula._replace(name=formula.name + edition)) for brand in brands for formula in words.FORMULAS
        ]
        rng.shuffle(batch)
        pairs += batch
    return pairs
