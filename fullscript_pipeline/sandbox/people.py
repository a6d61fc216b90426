"""Makes clinics and the people in them. What does not belong here: plans and orders (`plans`, `orders`)."""

import unicodedata
from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

from fullscript_pipeline.sandbox import word_lists as words
from fullscript_pipeline.sandbox.catalog import label_dosage
from fullscript_pipeline.sandbox.seeded_random import moment_in, new_id, rng_for, utc_text
from fullscript_pipeline.sandbox.word_lists import ClinicWords
from fullscript_pipeline.sandbox.world import Catalog, Patient, Record, SandboxClinic

HABITS = {"regular": 0.4, "gappy": 0.25, "early": 0.15, "never": 0.2}


def clinic_words(count: int) -> list[ClinicWords]:
    """The first `count` clinics: the named ones, then numbered ones, two in three on the American server."""
    named = list(words.CLINICS[:count])
    for number in range(len(named) + 1, count + 1):
        model = words.CLINICS[(number - 1) % len(words.CLINICS)]
        named.append(model._replace(slug=f"clinic-{number}", name=f"Clinic {number} of {model.name}"))
    return named


def make_clinic(
    seed: int, called: ClinicWords, catalog: Catalog, patients: int, *, born: date, start: date
) -> SandboxClinic:
    """A clinic with its staff and `patients` patients on day `born`; their first plans fall between born and start."""
    rng = rng_for(seed, "clinic", called.slug)
    topics = sorted({formula.topic for formula in words.FORMULAS} - {""})
    categories: list[Record] = [{"id": new_id(rng), "name": topic} for topic in topics]
    clinic = SandboxClinic(
        slug=called.slug,
        server=called.server,
        zone=ZoneInfo(called.zone),
        catalog=catalog,
        info=_clinic_record(called, born, rng),
        practitioners=_practitioners(called, catalog, rng),
        staff=_staff(called, rng),
        categories={row["id"]: row for row in categories},
        custom_dosages=_custom_dosages(catalog, rng),
    )
    for number in range(patients):
        patient = make_patient(clinic, rng, number)
        if rng.random() < 0.8:
            # More plans early in the history than late, so that most have time for several refills.
            patient.first_plan_on = born + timedelta(days=int((start - born).days * rng.random() ** 1.7))
        add_patient(clinic, patient)
    _add_dependents(clinic, rng)
    return clinic


def make_patient(clinic: SandboxClinic, rng: Random, number: int) -> Patient:
    """A new adult patient, not yet in the clinic's list."""
    first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    discount = rng.choice((0, 0, 0, 5, 10))
    known = rng.random() < 0.95
    record: Record = {
        "id": new_id(rng),
        "first_name": first,
        "last_name": last,
        "email": f"{plain(first)}.{plain(last)}.{number}@{clinic.slug}.example",
        "date_of_birth": str(date(1938, 1, 1) + timedelta(days=rng.randrange(24500))) if known else None,
        "gender": rng.choice(("female", "female", "male", "male", "x", None)),
        "discount": discount,
        "total_discount": discount + clinic.info["discount"],
        "mobile_number": f"+1555{rng.randrange(10**7):07d}" if rng.random() < 0.6 else None,
        "text_message_notification": rng.random() < 0.5,
        "archived": number > 3 and rng.random() < 0.03,
        "is_dependent": False,
        "guardian_patient_id": None,
        "metadata": {"id": f"EMR-{rng.randrange(10**6):06d}"} if rng.random() < 0.5 else None,
    }
    habit = rng.choices(list(HABITS), list(HABITS.values()))[0]
    return Patient(record=record, habit=habit, first_plan_on=None)


def add_patient(clinic: SandboxClinic, patient: Patient) -> None:
    """Puts a patient at the end of the clinic's list."""
    clinic.patients[patient.id] = patient
    clinic.plans_of[patient.id] = []
    clinic.info["patient_count"] = len(clinic.patients)


def activate_key(clinic: SandboxClinic, born: date) -> None:
    """The integration is used for the first time: the one `clinic_key` event of most clinics."""
    rng = rng_for("clinic key", clinic.id)
    at = moment_in(born, rng)
    clinic.record_event(rng, "clinic_key.activated", at, {"clinic_key": {"id": new_id(rng), "clinic_id": clinic.id}})


def plain(name: str) -> str:
    """A name as e-mail addresses spell it: lower-case ASCII letters only."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(filter(str.isalpha, folded)).lower()


def _add_dependents(clinic: SandboxClinic, rng: Random) -> None:
    """Makes some patients children of others. Some order through a guardian or a partner, some buy another size."""
    everybody = list(clinic.patients.values())
    for guardian, child in zip(everybody[3::25], everybody[4::25], strict=False):
        child.record |= {
            "last_name": guardian.record["last_name"],
            "email": guardian.record["email"],
            "date_of_birth": str(date(2012, 1, 1) + timedelta(days=rng.randrange(3000))),
            "is_dependent": True,
            "guardian_patient_id": guardian.id,
        }
    # Only in clinics that are not tiny; nothing is drawn, so the rest of the world stays as it is.
    for guardian, child in zip(everybody[28::50], everybody[29::50], strict=False):
        child.account_holder_id = guardian.id
    for partner, patient in zip(everybody[37::50], everybody[38::50], strict=False):
        patient.account_holder_id = partner.id
    for patient in everybody[21::25]:
        patient.takes_other_size = True


def _clinic_record(called: ClinicWords, born: date, rng: Random) -> Record:
    return {
        "id": new_id(rng),
        "name": called.name,
        "patient_count": 0,
        "practitioner_count": 4,
        "discount": rng.choice((0, 5, 10)),
        "dispensary_url": f"https://{called.slug}.example/welcome",
        "integration_id": new_id(rng),
        "integration_activated_at": utc_text(moment_in(born, rng)),
        "margin_type": rng.choice(("profit", "no_profit")),
    }


def _practitioners(called: ClinicWords, catalog: Catalog, rng: Random) -> dict[str, Record]:
    kinds = list(catalog.vocabularies["practitioner_types"])
    rows: list[Record] = [
        {
            **_colleague(called, rng),
            "practitioner_type_id": rng.choice(kinds),
            "invite_accepted": number < 3,
            "metadata": {"id": f"USR-{number}"} if number % 2 else None,
        }
        for number in range(4)
    ]
    return {row["id"]: row for row in rows}


def _staff(called: ClinicWords, rng: Random) -> dict[str, Record]:
    rows: list[Record] = [
        {**_colleague(called, rng), "metadata": {"id": f"STF-{number}"} if number else None} for number in range(3)
    ]
    return {row["id"]: row for row in rows}


def _colleague(called: ClinicWords, rng: Random) -> Record:
    first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    return {
        "id": new_id(rng),
        "first_name": first,
        "last_name": last,
        "email": f"{plain(first)}.{plain(last)}@staff.{called.slug}.example",
    }


def _custom_dosages(catalog: Catalog, rng: Random) -> dict[str, Record]:
    chosen = [key for key in catalog.products if rng.random() < 0.05]
    return {key: label_dosage(str(catalog.products[key]["dosage"]["format"]), rng) for key in chosen}
