"""What practitioners keep for re-use (protocols, resources) and where patients live.

Made once from seeds of their own, so that the rest of a world does not depend on them. What does not belong here:
plans that are sent to somebody (`plans`).
"""

from random import Random

from fullscript_pipeline.sandbox import word_lists as words
from fullscript_pipeline.sandbox.labs import recommend_labs
from fullscript_pipeline.sandbox.plans import recommend
from fullscript_pipeline.sandbox.seeded_random import new_id, rng_for
from fullscript_pipeline.sandbox.world import Catalog, Patient, Protocol, Record, SandboxClinic

STATES = ("active", "active", "active", "draft", "cancelled")


def stock_region(catalog: Catalog, seed: int) -> None:
    """Gives a region Fullscript's own protocols and resources."""
    rng = rng_for(seed, "library", catalog.region)
    for name in words.PROTOCOLS:
        record = _protocol(name, "active", catalog, rng)
        catalog.protocols[record["id"]] = record
    for document in words.RESOURCES:
        resource = make_resource(document, rng)
        catalog.resources[resource["id"]] = resource


def stock_clinic(clinic: SandboxClinic, seed: int) -> None:
    """Gives a clinic its practitioners' protocols and resources, some of them shared."""
    rng = rng_for(seed, "library", clinic.slug)
    everybody = list(clinic.practitioners)
    for owner in everybody:
        for name in rng.sample(words.PROTOCOLS, rng.randint(1, 3)):
            record = _protocol(name, rng.choice(STATES), clinic.catalog, rng)
            record["practitioner"] = {"id": owner}
            if clinic.has_labs:
                record["lab_recommendations"] = recommend_labs(rng)
            readers = frozenset(key for key in everybody if key != owner and rng.random() < 0.3)
            clinic.protocols[record["id"]] = Protocol(record=record, owner_id=owner, shared_with=readers)
        clinic.resources[owner] = [make_resource(document, rng) for document in rng.sample(words.RESOURCES, 2)]
    brands = list(clinic.catalog.vocabularies["brands"])
    clinic.denied_brands = frozenset(rng.sample(brands, len(brands) // 12))


def make_resource(document: words.ResourceWords, rng: Random) -> Record:
    """A document as the vendor's samples show one."""
    key = new_id(rng)
    url = f"https://files.example/api/clinic/resources/{key}/download?type=practitioner_resource"
    return {
        "id": key,
        "name": document.name,
        "type": document.type,
        "category": document.category,
        "attachment_url": url,
    }


def addresses(clinic: SandboxClinic, patient: Patient) -> list[Record]:
    """None to two addresses of a patient. No key of theirs is documented."""
    rng = rng_for("addresses", patient.id)
    return [_address(clinic.catalog.region, patient.record, rng) for _ in range(rng.choice((0, 1, 1, 1, 2)))]


def _address(region: str, who: Record, rng: Random) -> Record:
    city, state = rng.choice(words.TOWNS[region])
    return {
        "id": new_id(rng),
        "first_name": who["first_name"],
        "last_name": who["last_name"],
        "address1": f"{rng.randint(1, 980)} {rng.choice(words.STREETS)}",
        "address2": rng.choice((None, "", f"Unit {rng.randint(1, 40)}")),
        "city": city,
        "state": state,
        "zipcode": f"{rng.randrange(10**5):05d}" if region == "us" else f"K{rng.randrange(10)}A {rng.randrange(10)}B1",
        "country": region.upper(),
        "phone": who["mobile_number"],
    }


def _protocol(name: str, state: str, catalog: Catalog, rng: Random) -> Record:
    return {
        "id": new_id(rng),
        "name": name,
        "current_state": state,
        "personal_message": rng.choice(words.MESSAGES),
        "recommendations": recommend(catalog, rng)[0],
        "resources": [],
    }
