"""Fetches the objects that events are about: by id, or by a list where that takes fewer requests.

What does not belong here: which objects to fetch (`cost_plan`), the commit (`refresh_loads`), events
(`event_handling`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import Literal

import orjson

from fullscript_pipeline.api import NotFound, ScopeError
from fullscript_pipeline.extraction.engine import (
    FetchedList,
    Load,
    confirm_gone,
    fetch_by_id,
    fetch_each,
    in_parallel,
)
from fullscript_pipeline.extraction.pulls import (
    complete_products,
    has_names_only,
    patient_id_of,
    sighting_recorder,
    with_results,
)
from fullscript_pipeline.refresh.affected_patients import patients_with_several_plans
from fullscript_pipeline.refresh.refresh_loads import DETAILS, Lines, RefreshLoads
from fullscript_pipeline.resources.orders import ORDERS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.products import PRODUCTS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.warehouse import UNKEYED, Line
from fullscript_pipeline.warehouse.loading import rows_of

# The filter's edges and time zone are not documented.
OVERLAP = timedelta(days=2)
# "incomplete": the list shows rows without the fields that need their detail.
ListOutcome = Literal["complete", "incomplete", "not listed"]
# By family: the list that holds the objects, and the arrays that make a listed row complete.
_LISTS = {"plans": "patient_treatment_plans", "orders": "orders", "patients": "patients", "labs": "lab_orders"}
_ARRAYS = {"plans": ("recommendations",), "orders": ("line_items",), "labs": ("tests",)}


class ObjectFetcher(RefreshLoads):
    """Fetches objects by family, and adds them to the loads of the refresh."""

    def fetch_objects(self, family: str, ids: Sequence[str]) -> None:
        """Fetches each object by its id.

        An object that answers 404 is looked up in the list that should hold it. It is gone only when the list lacks it.
        """
        object_ids = [
            object_id
            for object_id in dict.fromkeys(ids)
            if object_id not in self._ids[family] and not object_id.startswith(UNKEYED)
        ]
        if not object_ids:
            return
        endpoint, table = DETAILS[family]
        denied = fetch_by_id(self.pull, self.session, table, object_ids)
        gone = confirm_gone(self.pull, self.session, table, denied)
        self.not_found[family] += denied
        listed_only = frozenset(denied) - frozenset(gone)

        def lines() -> Iterator[Line]:
            yield from self._complete_listed_rows(family, listed_only)
            yield from self.pull.file.lines(endpoint)

        load = Load(
            table=table,
            lines=self._complete_lines(family, lines),
            gone=gone,
            listed=listed_only,
            refused=self.pull.summary.refused(endpoint),
        )
        self.add_load(family, object_ids, load)

    def fetch_products(self, ids: Sequence[str]) -> None:
        """Fetches products of the region, without the dosage of the practitioner who asks."""
        if not ids:
            return
        self._units = self._stored_units(ids)
        # A 404 for one clinic does not prove that the region lost the product: the catalog's own pull decides that.
        refused = self._land_each("product", ids)
        products = complete_products(self.pull, lambda variant: self._land_each("variant", [variant]))
        clinic, target = self.session.clinic.clinic_id, self.target
        record_sightings = sighting_recorder(
            target.region, target.day, "event", lambda: {clinic: [line.id for line in self.pull.file.lines("product")]}
        )
        load = Load(table=PRODUCTS, lines=products, listed=(), refused=refused, after=record_sightings)
        self.add_load("products", ids, load)

    def fetch_plans(self, ids: Sequence[str], patient_by_plan: Mapping[str, str]) -> None:
        """Fetches plans by id. Lists all plans of a patient who has several of them: that takes one request.

        `patient_by_plan`: as the events say; the warehouse knows the others.
        """
        if not ids:
            return
        with self.target.warehouse.read() as con:
            several = patients_with_several_plans(con, self.session.clinic.clinic_id, ids, patient_by_plan)
        try:
            fully_listed = [patient for patient in in_parallel(self._list_plans, several) if patient]
        except ScopeError as refusal:
            self.refused.append(str(refusal))
            return
        rows = list(self.pull.file.lines("patient_treatment_plans"))
        complete = {line.id for line in rows if _has_array(line, "recommendations")}
        listed = {line.id for line in rows if not line.id.startswith(UNKEYED)}
        plan_ids = [*(plan for plan in ids if plan not in listed), *(listed - complete)]
        denied = fetch_by_id(self.pull, self.session, TREATMENT_PLANS, plan_ids)
        load = Load(
            table=TREATMENT_PLANS,
            lines=self._plan_lines,
            missing_among=rows_of("patient_id", fully_listed),
            gone=confirm_gone(self.pull, self.session, TREATMENT_PLANS, denied),
            listed=listed,
            refused=self.pull.summary.refused("treatment_plan"),
        )
        self.add_load("plans", [*ids, *listed], load)

    def fetch_orders(self, ids: Sequence[str], first: date | None, unnamed: Sequence[str] = ()) -> ListOutcome:
        """Lists every order from `first` on, and fetches by id what is not among them (None: all by id).

        Of an incomplete row the detail is fetched when the order is in `ids`, or is not stored. `unnamed`: events, too
        many for their details, that name no order; they are answered when the list brings as many new orders.
        """
        listing = None
        if first is not None:
            window = {"completed_at": f">{first - OVERLAP}", "sort_by": "completed_at", "order_by": "ASC"}
            listing = self._list_or_refusal("orders", window)
        if listing is None:
            self.fetch_objects("orders", ids)
            return "not listed"
        rows = {line.id: line for line in self.pull.file.lines("orders")}
        stored = self._stored_hashes(ORDERS, list(rows))
        complete = [line for line in rows.values() if _has_array(line, "line_items")]
        incomplete = rows.keys() - {line.id for line in complete}
        self.fetch_objects("orders", [order for order in ids if order not in rows or order in incomplete])
        self.fetch_objects("orders", [order for order in rows if order in incomplete and order not in stored])
        self._add_changed_rows("orders", [line for line in complete if stored.get(line.id) != line.hash])
        new = len(rows.keys() - stored.keys()) - len(set(ids) - stored.keys())
        answers = unnamed if listing.complete and new >= len(unnamed) else ()
        self._loads.append(Load(table=ORDERS, lines=self._complete_orders, answers=answers))
        return "incomplete" if incomplete else "complete"

    def fetch_patients(self, ids: Sequence[str], *, list_all: bool) -> ListOutcome:
        """Lists all patients and fetches by id who is not among them, or fetches all by id.

        "incomplete": the list shows names only, so that each patient was fetched by id.
        """
        listing = self._list_or_refusal("patients", {"patient_type": "all"}) if list_all else None
        if listing is None:
            self.fetch_objects("patients", ids)
            return "not listed"
        if any(has_names_only(line) for line in self.pull.file.lines("patients")):
            self.fetch_objects("patients", ids)
            return "incomplete"
        self.fetch_objects("patients", [patient for patient in ids if patient not in listing.ids])
        lines = self._complete_patients(self.pull.lines("patients"))
        stored = self._stored_hashes(PATIENTS, [line.id for line in lines()])
        self._add_changed_rows("patients", [line for line in lines() if stored.get(line.id) != line.hash])
        self._loads.append(Load(table=PATIENTS, lines=lines))
        return "complete"

    def fetch_missing_patients(self) -> None:
        """Fetches the patients of fetched plans and orders who are not stored: their own event may come later."""
        names = [endpoint for family, (endpoint, _) in DETAILS.items() if family in {"plans", "orders", "labs"}]
        lines = (line for name in (*names, "orders", "patient_treatment_plans") for line in self.pull.file.lines(name))
        named = {patient for line in lines if (patient := patient_id_of(line))}
        with self.target.warehouse.read() as con:
            rows = con.execute(
                "SELECT patient_id FROM core.patients WHERE clinic_id = ? AND patient_id IN ?",
                [self.session.clinic.clinic_id, sorted(named)],
            ).fetchall()
        listed = {line.id for line in self.pull.file.lines("patients")}
        self.fetch_objects("patients", sorted(named - {patient for (patient,) in rows} - listed))

    def _complete_lines(self, family: str, lines: Lines) -> Lines:
        if family == "patients":
            return self._complete_patients(lines)
        return (lambda: map(with_results, lines())) if family == "labs" else lines

    def _complete_listed_rows(self, family: str, ids: frozenset[str]) -> Iterator[Line]:
        """Yields the complete rows that a list shows of these objects."""
        if not ids:
            return iter(())
        rows = (line for line in self.pull.file.lines(_LISTS[family]) if line.id in ids)
        if family == "patients":
            return (line for line in rows if not has_names_only(line))
        return (line for line in rows if all(_has_array(line, array) for array in _ARRAYS[family]))

    def _complete_orders(self) -> Iterator[Line]:
        return (line for line in self.pull.file.lines("orders") if _has_array(line, "line_items"))

    def _plan_lines(self) -> Iterator[Line]:
        rows = self.pull.file.lines("patient_treatment_plans")
        complete = (line for line in rows if _has_array(line, "recommendations"))
        return chain(complete, self.pull.file.lines("treatment_plan"))

    def _list_plans(self, patient: str) -> str | None:
        """Lands the plans of a patient. Returns the patient if the list is complete."""
        try:
            listing = self.pull.walk(self.session, "patient_treatment_plans", path={"patient_id": patient})
        except NotFound:
            return None
        return patient if listing.complete else None

    def _list_or_refusal(self, endpoint: str, params: Mapping[str, str]) -> FetchedList | None:
        """Lands a list. None when the server refuses it; the refusal is kept in `refused`."""
        try:
            return self.pull.walk(self.session, endpoint, params=params)
        except (ScopeError, NotFound) as refusal:
            self.refused.append(str(refusal))
            return None

    def _land_each(self, endpoint: str, ids: Sequence[str]) -> frozenset[str]:
        """Lands the objects that the server has. Returns those that it refuses."""
        try:
            fetch_each(self.pull, self.session, endpoint, ids, any_stored=True)
        except ScopeError:
            self.pull.summary.record_refused_objects(endpoint, ids)
        return self.pull.summary.refused(endpoint)


def _has_array(line: Line, array: str) -> bool:
    return f'"{array}"'.encode() in line.record and isinstance(orjson.loads(line.record).get(array), list)
