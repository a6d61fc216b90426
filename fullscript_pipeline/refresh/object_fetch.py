"""Reads the touched objects of one round and commits them together.

Never takes up what an interrupted round had read: an object may have changed again since. What does not belong here:
which objects (`cost_plan`), events (`event_handling`).
"""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import Any, Literal

import orjson

from fullscript_pipeline.api import ClinicSession, NotFound, ScopeError
from fullscript_pipeline.extraction.engine import (
    Load,
    Pull,
    Report,
    Target,
    confirm_gone,
    fetch_by_id,
    fetch_each,
    in_parallel,
)
from fullscript_pipeline.extraction.pulls import (
    Relationships,
    complete_products,
    has_names_only,
    patient_id_of,
    sighting_recorder,
    with_results,
)
from fullscript_pipeline.refresh.affected_patients import (
    affected_patient_ids,
    patients_with_several_plans,
    stored_relationships,
    variant_units,
)
from fullscript_pipeline.resources.lab_orders import LAB_ORDERS
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse import UNKEYED, Line, stored_hashes
from fullscript_pipeline.warehouse.loading import rows_of

# The filter's edges and zone are not documented.
OVERLAP = timedelta(days=2)
ListOutcome = Literal["whole", "thin", "not listed"]
_DETAILS: dict[str, tuple[str, Table]] = {
    "plans": ("treatment_plan", TREATMENT_PLANS),
    "orders": ("order", ORDERS),
    "patients": ("patient", PATIENTS),
    "labs": ("lab_order", LAB_ORDERS),
    "products": ("product", PRODUCTS),
}
# The lists that should hold them, and what a row of them must hold to need no detail.
_LISTS = {"plans": "patient_treatment_plans", "orders": "orders", "patients": "patients", "labs": "lab_orders"}
_ARRAYS = {"plans": ("recommendations",), "orders": ("line_items",), "labs": ("tests",)}


class ObjectFetcher:
    """The reads of one round."""

    def __init__(self, target: Target, session: ClinicSession, store: StateStore) -> None:
        self.target, self.session, self.store = target, session, store
        # A name of its own, so that nothing of an interrupted round is taken up.
        self.pull = Pull(target, f"refresh-{uuid.uuid4().hex[:8]}")
        self.pull.resource = "refresh"
        self.refused: list[str] = []
        # What the server said it does not have, by family.
        self.not_found: dict[str, list[str]] = {family: [] for family in _DETAILS}
        self._untied: set[str] = set()
        self._loads: list[Load] = []
        self._ids: dict[str, list[str]] = {family: [] for family in _DETAILS}
        self._patients: list[str] = []
        self._units: dict[str, Any] = {}

    def fetch_objects(self, family: str, ids: Sequence[str]) -> None:
        """One read for each. What the server denies (404) is looked for in the list that should hold it; only what that
        lacks too is gone."""
        object_ids = [
            object_id
            for object_id in dict.fromkeys(ids)
            if object_id not in self._ids[family] and not object_id.startswith(UNKEYED)
        ]
        if not object_ids:
            return
        endpoint, table = _DETAILS[family]
        denied = fetch_by_id(self.pull, self.session, table, object_ids)
        gone = confirm_gone(self.pull, self.session, table, denied)
        self._ids[family] += object_ids
        self.not_found[family] += denied
        shown = frozenset(denied) - frozenset(gone)

        def lines() -> Iterator[Line]:
            yield from self._listed(family, shown)
            yield from self.pull.file.lines(endpoint)

        each: Callable[[], Iterator[Line]] = lines
        if family == "patients":
            each = self._completed(lines)
        elif family == "labs":
            each = self._with_results(lines)
        self._loads.append(Load(table, each, gone=gone, listed=shown, refused=self.pull.refused(endpoint)))

    def _listed(self, family: str, ids: frozenset[str]) -> Iterator[Line]:
        """The whole rows of these objects, where a list shows what their ids did not find."""
        if not ids:
            return iter(())
        rows = (line for line in self.pull.file.lines(_LISTS[family]) if line.id in ids)
        return (
            line for line in rows if (not has_names_only(line) if family == "patients" else _has_arrays(family, line))
        )

    @staticmethod
    def _with_results(lines: Callable[[], Iterator[Line]]) -> Callable[[], Iterator[Line]]:
        return lambda: map(with_results, lines())

    def fetch_products(self, ids: Sequence[str]) -> None:
        """Products of the region; this practitioner's own dosage is left out of what all share."""
        if not ids:
            return
        self._ids["products"] = list(ids)
        self._units = self._units_of(ids)
        # One clinic's 404 is no proof that the region lost it: the catalog's own pull decides that.
        refused = self._read("product", ids)
        products = complete_products(self.pull, lambda variant: self._read("variant", [variant]))
        clinic, target = self.session.clinic.clinic_id, self.target
        record_sightings = sighting_recorder(
            target.region, target.day, "event", lambda: {clinic: [line.id for line in self.pull.file.lines("product")]}
        )
        self._loads.append(Load(PRODUCTS, products, listed=(), refused=refused, after=record_sightings))

    def fetch_plans(self, ids: Sequence[str], patient_of: Mapping[str, str]) -> None:
        """By id; of patients with several touched plans, all their plans at once. `patient_of`: as events tell it."""
        if not ids:
            return
        try:
            walked = [plan for plan in in_parallel(self._walk_plans, self._with_several(ids, patient_of)) if plan]
        except ScopeError as refusal:
            self.refused.append(str(refusal))
            return
        rows = list(self.pull.file.lines("patient_treatment_plans"))
        complete = {line.id for line in rows if _has_array(line, "recommendations")}
        came = {line.id for line in rows if not line.id.startswith(UNKEYED)}
        plan_ids = [*(plan for plan in ids if plan not in came), *(came - complete)]
        denied = fetch_by_id(self.pull, self.session, TREATMENT_PLANS, plan_ids)
        gone = confirm_gone(self.pull, self.session, TREATMENT_PLANS, denied)
        self._ids["plans"] += [*ids, *came]
        refused = self.pull.refused("treatment_plan")
        among = rows_of("patient_id", walked)
        self._loads.append(Load(TREATMENT_PLANS, self._plan_lines, among, gone, came, refused=refused))

    def fetch_orders(self, ids: Sequence[str], first: date | None, unnamed: Sequence[str] = ()) -> ListOutcome:
        """By id, or every order from `first` on, and by id what is not among them; of thin rows the detail where the
        order is not stored, or was asked for.

        `unnamed`: events, too many for their details, that name no order: answered when as many new orders came.
        """
        if first is None:
            self.fetch_objects("orders", ids)
            return "not listed"
        window = {"completed_at": f">{first - OVERLAP}", "sort_by": "completed_at", "order_by": "ASC"}
        try:
            listing = self.pull.walk(self.session, "orders", params=window)
        except (ScopeError, NotFound) as refusal:
            self.refused.append(str(refusal))
            self.fetch_objects("orders", ids)
            return "not listed"
        rows = {line.id: line for line in self.pull.file.lines("orders")}
        stored = self._hashes(ORDERS, list(rows))
        incomplete = {order for order, line in rows.items() if not _has_array(line, "line_items")}
        self.fetch_objects("orders", [order for order in ids if order not in rows or order in incomplete])
        self.fetch_objects("orders", [order for order in incomplete if order not in stored])
        self._changed(
            "orders",
            [line for order, line in rows.items() if order not in incomplete and stored.get(order) != line.hash],
        )
        new = len(rows.keys() - stored.keys()) - len(set(ids) - stored.keys())
        answers = unnamed if listing.complete and new >= len(unnamed) else ()
        complete_lines = lambda: (line for line in self.pull.file.lines("orders") if _has_array(line, "line_items"))  # noqa: E731
        self._loads.append(Load(ORDERS, complete_lines, answers=answers))
        return "thin" if incomplete else "whole"

    def fetch_patients(self, ids: Sequence[str], *, list_all: bool) -> ListOutcome:
        """By id, or all of them, and by id who is not among them; "thin" when the list shows names only, so that each
        has to be read after all."""
        if not list_all:
            self.fetch_objects("patients", ids)
            return "not listed"
        try:
            listing = self.pull.walk(self.session, "patients", params={"patient_type": "all"})
        except (ScopeError, NotFound) as refusal:
            self.refused.append(str(refusal))
            self.fetch_objects("patients", ids)
            return "not listed"
        if any(has_names_only(line) for line in self.pull.file.lines("patients")):
            self.fetch_objects("patients", ids)
            return "thin"
        self.fetch_objects("patients", [patient for patient in ids if patient not in listing.ids])
        lines = self._completed(self.pull.lines("patients"))
        stored = self._hashes(PATIENTS, [line.id for line in lines()])
        self._changed("patients", [line for line in lines() if stored.get(line.id) != line.hash])
        self._loads.append(Load(PATIENTS, lines))
        return "whole"

    def fetch_missing_patients(self) -> None:
        """Patients of what was read who are not stored: their own event may not have been told, or come later."""
        names = [endpoint for family, (endpoint, _) in _DETAILS.items() if family in {"plans", "orders", "labs"}]
        lines = (line for name in (*names, "orders", "patient_treatment_plans") for line in self.pull.file.lines(name))
        named = {patient for line in lines if (patient := patient_id_of(line))}
        with self.target.warehouse.read() as con:
            rows = con.execute(
                "SELECT patient_id FROM core.patients WHERE clinic_id = ? AND patient_id IN ?",
                [self.session.clinic.clinic_id, sorted(named)],
            ).fetchall()
        listed = {line.id for line in self.pull.file.lines("patients")}
        self.fetch_objects("patients", sorted(named - {patient for (patient,) in rows} - listed))

    def add_load(self, family: str, ids: Sequence[str], load: Load) -> None:
        """Objects that were read elsewhere in this round."""
        self._ids[family] += ids
        self._loads.append(load)

    def queue_page_rebuilds(self, patients: Sequence[str]) -> None:
        """Their pages are to be rebuilt, whatever is stored under them afterwards."""
        self._patients += patients

    def mark_independent(self, patients: Collection[str]) -> None:
        """They are nobody's dependents any more, whatever is stored."""
        self._untied |= set(patients)
        self._ids["patients"] += sorted(patients)

    def fetched_ids(self, family: str) -> set[str]:
        """The objects of a family that were read, or that a list showed as changed."""
        return set(self._ids[family])

    def patient_lines(self) -> Iterator[Line]:
        """The patients that were read in this round."""
        return chain(self.pull.file.lines("patients"), self.pull.file.lines("patient"))

    def commit(self) -> Report:
        """Everything in one transaction. What a list showed as changed is owed its pages before that."""
        self.store.queue_page_rebuild(self.session.clinic, self._patients)
        return self.pull.commit(*self._loads)

    def affected_patient_ids(self) -> list[str]:
        """Whose rows and pages hang on what was read, as stored now."""
        changed = [
            variant
            for variant, units in self._units_of(self._ids["products"]).items()
            if self._units.get(variant) != units
        ]
        with self.target.warehouse.read() as con:
            return affected_patient_ids(con, self.session.clinic.clinic_id, self._ids, changed)

    def _completed(self, lines: Callable[[], Iterator[Line]]) -> Callable[[], Iterator[Line]]:
        """Patients with what their records leave out of dependents and guardians, as the daily pull found it out."""
        with self.target.warehouse.read() as con:
            known, ties = stored_relationships(con, self.session.clinic.clinic_id)
        nobody = Relationships(frozenset())

        def completed(line: Line) -> Line:
            if line.id in self._untied:
                return nobody.completed(line)
            return ties.completed(line) if line.id in known else line

        return lambda: map(completed, lines())

    def _changed(self, family: str, lines: Sequence[Line]) -> None:
        """Only a list's changed rows count as touched; a rerun after a kill could not tell them, so they are owed."""
        self._ids[family] += [line.id for line in lines]
        for line in lines:
            self._patients.append(line.id if family == "patients" else patient_id_of(line))
        self._patients = [patient for patient in self._patients if patient]

    def _read(self, endpoint: str, ids: Sequence[str]) -> frozenset[str]:
        """Lands each that the server has; returns those that it refuses."""
        try:
            fetch_each(self.pull, self.session, endpoint, ids, any_stored=True)
        except ScopeError:
            self.pull.record_refused_objects(endpoint, ids)
        return self.pull.refused(endpoint)

    def _walk_plans(self, patient: str) -> str | None:
        try:
            listing = self.pull.walk(self.session, "patient_treatment_plans", path={"patient_id": patient})
        except NotFound:
            return None
        return patient if listing.complete else None

    def _plan_lines(self) -> Iterator[Line]:
        rows = self.pull.file.lines("patient_treatment_plans")
        return chain(
            (line for line in rows if _has_array(line, "recommendations")), self.pull.file.lines("treatment_plan")
        )

    def _with_several(self, plans: Sequence[str], patient_of: Mapping[str, str]) -> list[str]:
        with self.target.warehouse.read() as con:
            return patients_with_several_plans(con, self.session.clinic.clinic_id, plans, patient_of)

    def _hashes(self, table: Table, ids: Sequence[str]) -> dict[str, str]:
        with self.target.warehouse.read() as con:
            return stored_hashes(con, table, self.session.clinic.clinic_id, ids)

    def _units_of(self, products: Sequence[str]) -> dict[str, Any]:
        with self.target.warehouse.read() as con:
            return variant_units(con, self.target.region, products)


def _has_arrays(family: str, line: Line) -> bool:
    return all(_has_array(line, array) for array in _ARRAYS[family])


def _has_array(line: Line, array: str) -> bool:
    return f'"{array}"'.encode() in line.record and isinstance(orjson.loads(line.record).get(array), list)
