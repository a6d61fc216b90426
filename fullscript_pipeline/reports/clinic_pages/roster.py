"""The clinic's patients as every list shows them: name, practitioners, contact, and the verdict on each product.

What does not belong here: which list a patient is on (`call_list`, `directory`), SQL (`clinic_queries`).
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import duckdb

from fullscript_pipeline.catalog import Shortage, end_of, load_shortages
from fullscript_pipeline.reports import formatting, status_texts
from fullscript_pipeline.reports.clinic_pages import clinic_queries
from fullscript_pipeline.reports.clinic_pages.clinic_queries import ClinicPatient, ProductRow
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.page_context import PageContext
from fullscript_pipeline.reports.page_queries import full_name
from fullscript_pipeline.reports.status_texts import Verdict
from fullscript_pipeline.reports.store import file_id

LONGEST_NAME, LONGEST_PRODUCT, MOST_PRACTITIONERS = 60, 40, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedProduct:
    """A product and the verdict on it; `shortage`: why what the plan recommends cannot be had, if it cannot."""

    verdict: Verdict
    row: ProductRow
    shortage: Shortage | None = None

    @property
    def name(self) -> str | None:
        return formatting.shorten(self.row.product_name, LONGEST_PRODUCT) if self.row.product_name else None

    @property
    def is_as_needed(self) -> bool:
        return self.row.status.startswith("as_needed") or (
            self.row.measurable == "prn" and self.row.status == "not_measurable"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterPatient:
    """A patient in a list. `sort_name`: `Stone, Mia`; `products`: the most urgent first; `page`: its file, if any."""

    patient_id: str
    name: str
    sort_name: str
    date_of_birth: date | None
    archived: bool
    page: str | None
    practitioner_ids: frozenset[str]
    practitioner: str
    contact: str | None
    guardian: str | None
    products: tuple[JudgedProduct, ...]

    @property
    def file(self) -> str:
        return file_id(self.patient_id)

    @property
    def order(self) -> tuple[str, str]:
        """Its place in the alphabet: case and accents do not count."""
        return fold(self.sort_name), self.patient_id


def fold(text: str) -> str:
    """The text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def load_roster(con: duckdb.DuckDBPyConnection, context: PageContext) -> list[RosterPatient]:
    """Everybody of the clinic, in alphabetical order."""
    clinic_id = context.clinic.clinic_id
    products: dict[str, list[JudgedProduct]] = defaultdict(list)
    for product in _judged_products(con, context):
        products[product.row.patient_id].append(product)
    patients = clinic_queries.load_clinic_patients(con, clinic_id)
    namesakes = Counter(_name(patient, context.language) for patient in patients)
    roster = [
        _roster_patient(
            patient,
            context,
            products.get(patient.patient_id, []),
            has_namesakes=namesakes[_name(patient, context.language)] > 1,
        )
        for patient in patients
    ]
    return sorted(roster, key=lambda patient: patient.order)


def _judged_products(con: duckdb.DuckDBPyConnection, context: PageContext) -> Iterator[JudgedProduct]:
    rows = list(clinic_queries.stream_products(con, context.clinic.clinic_id))
    shortages = load_shortages(
        con,
        context.clinic.region,
        variant_ids={variant_id for row in rows for variant_id in row.variant_ids},
        at=end_of(context.as_of, context.zone),
        time_zone=context.zone,
    )
    for row in rows:
        verdict = status_texts.verdict(row.status, row.days_late, row.due_in_days, context.policy)
        short = [shortages[variant_id] for variant_id in row.variant_ids if variant_id in shortages]
        # While one of several variants can be had, the patient is not stuck.
        yield JudgedProduct(
            verdict=verdict, row=row, shortage=short[0] if short and len(short) == len(row.variant_ids) else None
        )


def _roster_patient(
    patient: ClinicPatient,
    context: PageContext,
    products: list[JudgedProduct],
    *,
    has_namesakes: bool,
) -> RosterPatient:
    language = context.language
    practitioner_ids = frozenset(product.row.practitioner_id for product in products if product.row.practitioner_id)
    sort_name = ", ".join(part for part in (patient.last_name, patient.first_name) if part and part.strip())
    name, sort_name = _name(patient, language), formatting.shorten(sort_name, LONGEST_NAME)
    if has_namesakes and patient.date_of_birth:
        born = language.day(patient.date_of_birth)
        name = language.gettext("%(name)s, born %(day)s", name=name, day=born)
        sort_name = language.gettext("%(name)s, born %(day)s", name=sort_name, day=born)
    return RosterPatient(
        patient_id=patient.patient_id,
        name=name,
        sort_name=sort_name or name,
        date_of_birth=patient.date_of_birth,
        archived=patient.archived,
        page=file_id(patient.patient_id) if patient.has_page else None,
        practitioner_ids=practitioner_ids,
        practitioner=_practitioner_names(practitioner_ids, context),
        contact=_own_contact(patient, language) if context.contact else None,
        guardian=_guardian(patient, context),
        products=tuple(sorted(products, key=_urgency)),
    )


def _name(patient: ClinicPatient, language: PageLanguage) -> str:
    name = full_name(patient.first_name, patient.last_name) or language.gettext("Unnamed patient")
    return formatting.shorten(name, LONGEST_NAME)


def _practitioner_names(practitioner_ids: frozenset[str], context: PageContext) -> str:
    unnamed = context.language.gettext("Unnamed practitioner")
    names = sorted(context.practitioners.get(practitioner_id, unnamed) for practitioner_id in practitioner_ids)
    more = len(names) - MOST_PRACTITIONERS
    shown = ", ".join(names[:MOST_PRACTITIONERS])
    return formatting.shorten(f"{shown} +{more}" if more > 0 else shown, 50)


def _own_contact(patient: ClinicPatient, language: PageLanguage) -> str | None:
    contact = _contact(patient.email, patient.mobile_number)
    if patient.mobile_number and not patient.has_texts_on:
        return language.gettext("%(contact)s (text reminders are off)", contact=contact)
    return contact


def _contact(email: str | None, mobile_number: str | None) -> str | None:
    return ", ".join(part for part in (mobile_number, email) if part and part.strip()) or None


def _guardian(patient: ClinicPatient, context: PageContext) -> str | None:
    if patient.guardian_patient_id is None:
        return None
    language = context.language
    name = full_name(patient.guardian_first_name, patient.guardian_last_name)
    name = formatting.shorten(name or language.gettext("Unnamed guardian"), LONGEST_NAME)
    contact = _contact(patient.guardian_email, patient.guardian_mobile_number) if context.contact else None
    return language.gettext("%(name)s: %(words)s", name=name, words=contact) if contact else name


def _urgency(product: JudgedProduct) -> tuple[int, date, str]:
    return product.verdict.rank, product.row.run_out_on or product.row.window_start or date.max, product.name or ""
