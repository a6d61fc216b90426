"""What one refresh has read so far, and the commit that stores all of it in one transaction.

A refresh never resumes what an interrupted one had landed: an object may have changed since. What does not belong here:
which objects to fetch (`cost_plan`), how each kind is fetched (`object_fetch`).
"""

import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Any

from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.extraction.engine import Load, Pull, Report, Target
from fullscript_pipeline.extraction.pulls import Relationships, patient_id_of
from fullscript_pipeline.refresh.affected_patients import affected_patient_ids, stored_relationships, variant_units
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import Line, stored_hashes

# By family of events: the endpoint of one object, and the table that holds it.
DETAILS: dict[str, tuple[str, Table]] = {
    "plans": ("treatment_plan", TREATMENT_PLANS),
    "orders": ("order", ORDERS),
    "patients": ("patient", PATIENTS),
    "labs": ("lab_order", LAB_ORDERS),
    "products": ("product", PRODUCTS),
}
Lines = Callable[[], Iterator[Line]]


class RefreshLoads:
    """Collects the loads of one refresh of a clinic, and the ids of the objects in them by family."""

    def __init__(self, target: Target, session: ClinicSession, store: StateStore) -> None:
        self.target, self.session, self.store = target, session, store
        # A file name of its own, so that this refresh resumes no other one.
        self.pull = Pull(target, "refresh", file_name=f"refresh-{uuid.uuid4().hex[:8]}")
        self.refused: list[str] = []
        # Ids that answered 404, by family.
        self.not_found: dict[str, list[str]] = {family: [] for family in DETAILS}
        self._independent: set[str] = set()
        self._loads: list[Load] = []
        self._ids: dict[str, list[str]] = {family: [] for family in DETAILS}
        self._patients: list[str] = []
        self._units: dict[str, Any] = {}

    def add_load(self, family: str, ids: Sequence[str], load: Load) -> None:
        """Adds objects that were read elsewhere in this refresh."""
        self._ids[family] += ids
        self._loads.append(load)

    def queue_page_rebuilds(self, patients: Sequence[str]) -> None:
        """Queues the pages of these patients, whatever the commit stores under them."""
        self._patients += patients

    def mark_independent(self, patients: Collection[str]) -> None:
        """Stores these patients as nobody's dependents, whatever the warehouse says."""
        self._independent |= set(patients)
        self._ids["patients"] += sorted(patients)

    def fetched_ids(self, family: str) -> set[str]:
        """Returns the objects of a family that were fetched, or that a list showed as changed."""
        return set(self._ids[family])

    def patient_lines(self) -> Iterator[Line]:
        """Yields the patients that were read in this refresh."""
        return chain(self.pull.file.lines("patients"), self.pull.file.lines("patient"))

    def commit(self) -> Report:
        """Stores everything in one transaction. The page rebuilds are queued first, so that a crash loses none."""
        self.store.page_rebuilds.add(self.session.clinic, self._patients)
        return self.pull.commit(*self._loads)

    def affected_patient_ids(self) -> list[str]:
        """Returns the patients whose rows and pages depend on what was read. Call it after the commit."""
        changed_variants = [
            variant
            for variant, units in self._stored_units(self._ids["products"]).items()
            if self._units.get(variant) != units
        ]
        with self.target.warehouse.read() as con:
            return affected_patient_ids(con, self.session.clinic.clinic_id, self._ids, changed_variants)

    def _complete_patients(self, lines: Lines) -> Lines:
        """Adds to patients what their records leave out of dependents and guardians, as the daily pull stored it."""
        with self.target.warehouse.read() as con:
            known, relationships = stored_relationships(con, self.session.clinic.clinic_id)
        no_dependents = Relationships(dependents=frozenset())

        def complete(line: Line) -> Line:
            if line.id in self._independent:
                return no_dependents.completed(line)
            return relationships.completed(line) if line.id in known else line

        return lambda: map(complete, lines())

    def _add_changed_rows(self, family: str, lines: Sequence[Line]) -> None:
        """Counts a list's changed rows as fetched. After a crash it is unknown which changed, so their patients' pages
        are queued."""
        self._ids[family] += [line.id for line in lines]
        patients = [line.id if family == "patients" else patient_id_of(line) for line in lines]
        self._patients += [patient for patient in patients if patient]

    def _stored_hashes(self, table: Table, ids: Sequence[str]) -> dict[str, str]:
        with self.target.warehouse.read() as con:
            return stored_hashes(con, table, self.session.clinic.clinic_id, ids)

    def _stored_units(self, products: Sequence[str]) -> dict[str, Any]:
        with self.target.warehouse.read() as con:
            return variant_units(con, self.target.region, products)
