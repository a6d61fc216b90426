"""What a day brings to a region's catalog, and the product events each of its clinics then sees.

The rule followed is the events reference: a change to a product or one of its variants is `product.updated`, a changed
description is `product.description.updated`, an addition is `product.created`; a removal and a renamed brand raise
nothing, nor does a return. What does not belong here: anything of a clinic.
"""

from collections.abc import Sequence
from datetime import date, datetime
from random import Random

from fullscript_pipeline.sandbox.catalog import add_product, description, label_dosage
from fullscript_pipeline.sandbox.seeded_random import OFFICE, moment_in, new_id, rng_for
from fullscript_pipeline.sandbox.world import Catalog, Record, SandboxClinic, Tally

EVENT_KEYS = ("name", "description_html", "brand", "variants", "dosage")


class CatalogDaySimulator:
    """One region on one day: applies changes, records their events for the region's clinics, counts them."""

    def __init__(self, seed: int, catalog: Catalog, clinics: Sequence[SandboxClinic], day: date, tally: Tally) -> None:
        self.catalog, self.clinics, self.tally = catalog, clinics, tally
        self.rng: Random = rng_for(seed, "market", catalog.region, day)
        self.at: datetime = moment_in(day, self.rng, OFFICE)

    def simulate(self, age: int) -> None:
        """Changes the catalog as a day of that age does; any two days past the start see an addition and a removal."""
        size = len(self.catalog.products)
        self.move_prices(2 + size // 150)
        self.flip_availability(1 + size // 200)
        if age % 10 in {0, 5} or (age > 0 and age % 2 == 1):
            self.add()
        if age % 10 in {2, 7} or (age > 0 and age % 2 == 0):
            self.remove()
        if age % 3 == 1:
            self.edit_description()
        if age % 5 == 2:
            self.edit_dosage()
        if age % 7 == 2:
            self.rename()
        if age % 10 == 3:
            self.rename_brand()
        if age % 6 == 5:
            self.add_variant()
        if age % 6 == 2:
            self.resize_variant()
        if age % 5 == 4:
            self.bring_back()

    def move_prices(self, count: int) -> None:
        """Some list prices go up or down by up to a tenth."""
        for product in self._sample_products(count):
            variant = self.rng.choice(product["variants"])
            step = self.rng.choice((-0.1, -0.05, 0.04, 0.06, 0.1))
            variant["msrp"] = f"{max(float(variant['msrp']) * (1 + step), 1):.2f}"
            self._record_events("product.updated", product, "prices_moved")

    def flip_availability(self, count: int) -> None:
        """Some variants go out of stock, others are back in stock."""
        for product in self._sample_products(count):
            variant = self.rng.choice(product["variants"])
            back = variant["status"] == "unavailable"
            variant["availability"] = "In Stock" if back else "Out of Stock"
            variant["status"] = "available" if back else "unavailable"
            self._record_events("product.updated", product, "availability_flipped")

    def add(self) -> None:
        """A brand launches a product."""
        if self.catalog.unmade:
            self._record_events("product.created", add_product(self.catalog, self.rng), "products_added")

    def remove(self) -> None:
        """A product leaves the catalog without a word."""
        # Never one of the newest: what was added yesterday should be seen once.
        established = list(self.catalog.products.values())[:-3]
        if established:
            self.catalog.remove(self.rng.choice(established))
            self.tally["products_removed"] += 1

    def edit_description(self) -> None:
        """A product gets a new text."""
        product = self._sample_products(1)[0]
        before = product["description_html"]
        while product["description_html"] == before:
            product["description_html"] = description(product["name"], product["brand"]["name"], self.rng)
        self._record_events("product.description.updated", product, "descriptions_edited")

    def edit_dosage(self) -> None:
        """A label suggests something else."""
        product = self._sample_products(1)[0]
        before = product["dosage"]
        while product["dosage"] == before:
            product["dosage"] = label_dosage(before["format"], self.rng)
        self._record_events("product.updated", product, "label_dosages_edited")

    def rename(self) -> None:
        """A product gets a new name."""
        product = self._sample_products(1)[0]
        name = str(product["name"])
        product["name"] = name.removesuffix(" (new formula)") if name.endswith(")") else f"{name} (new formula)"
        self._record_events("product.updated", product, "products_renamed")

    def rename_brand(self) -> None:
        """A brand gets a new name; its products show it, and there is no event."""
        brand = self.rng.choice(list(self.catalog.vocabularies["brands"].values()))
        name = str(brand["name"])
        brand["name"] = name.removesuffix(" Co.") if name.endswith(" Co.") else f"{name} Co."
        for product in [*self.catalog.products.values(), *(removed.product for removed in self.catalog.removed)]:
            if product["brand"]["id"] == brand["id"]:
                product["brand"]["name"] = brand["name"]
        self.tally["brands_renamed"] += 1

    def add_variant(self) -> None:
        """A product is sold in a further, larger pack."""
        product = self._sample_products(1)[0]
        last = product["variants"][-1]
        units = last["units"] * 2 if last["units"] else 30
        new = last | {"id": new_id(self.rng), "sku": f"{last['sku']}-{units}", "primary": False, "units": units}
        new |= {"msrp": f"{float(last['msrp']) * 1.8:.2f}", "upc": None}
        product["variants"].append(new)
        self.catalog.variants[new["id"]] = (new, product)
        self._record_events("product.updated", product, "variants_added")

    def resize_variant(self) -> None:
        """A pack holds more or less than before, under the same id."""
        product = self._sample_products(1)[0]
        variant = self.rng.choice(product["variants"])
        variant["units"] = max(round((variant["units"] or 30) * self.rng.choice((0.75, 1.25, 1.5))), 5)
        self._record_events("product.updated", product, "variants_resized")

    def bring_back(self) -> None:
        """A product that was removed is there again, under its old ids; the documentation has no event for that."""
        # Never the latest one: what was removed yesterday should be missed once.
        if len(self.catalog.removed) > 1:
            again = self.catalog.removed.pop(0)
            self.catalog.add(again.product, again.topic, again.traits)
            self.tally["products_returned"] += 1

    def _sample_products(self, count: int) -> list[Record]:
        products = list(self.catalog.products.values())
        return self.rng.sample(products, min(count, len(products)))

    def _record_events(self, kind: str, product: Record, counted: str) -> None:
        # As documented: no product event carries the product's id, and only product.created is not nested and names
        # no clinic.
        shown = {key: product[key] for key in EVENT_KEYS}
        created = kind == "product.created"
        for clinic in self.clinics:
            clinic.record_event(
                self.rng, kind, self.at, shown if created else {"product": shown}, names_clinic=not created
            )
        self.tally[counted] += 1
