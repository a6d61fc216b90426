"""A clinic that was pulled, with its sandbox's world at hand: tests make things happen in it and look what follows.

What does not belong here: assertions.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from sqlalchemy import delete

from fullscript_pipeline import refresh
from fullscript_pipeline.api import ClinicSession
from fullscript_pipeline.sandbox.instance import Sandbox
from fullscript_pipeline.sandbox.orders import order_freely
from fullscript_pipeline.sandbox.world import Plan, SandboxClinic
from fullscript_pipeline.state import Clinic, Delivery
from fullscript_pipeline.state.schema import request_leases
from fullscript_pipeline_tests.helpers.full_pull import AllClinics
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline


class LiveClinic(AllClinics):
    """The first clinic of a connected sandbox."""

    def __init__(self, connected: Connected, sandbox: Sandbox) -> None:
        super().__init__(connected)
        self.sandbox, self.rng, self._ticks = sandbox, Random(7), 0
        self.clinic: Clinic = connected.store.clinics.all()[0]
        # The ids that are told may be written another way.
        clinics = {
            sandbox.variants.replace_ids_in_answer(clinic.id.encode()).decode(): clinic
            for clinic in sandbox.world.clinics.values()
        }
        self.world: SandboxClinic = clinics[self.clinic.clinic_id]

    @property
    def store(self) -> Any:
        return self.connected.store

    def let_the_window_pass(self) -> None:
        """Nothing counts against the request budget any more, as if five minutes had passed without a request."""
        with self.store.db.write() as connection:
            connection.execute(delete(request_leases))

    def record_event(self, kind: str, data: dict[str, Any]) -> str:
        """Something happens, after everything else; the id of its event."""
        self.world.record_event(self.rng, kind, self._next_moment(), data)
        return list(self.world.events)[-1]

    def order(self) -> str:
        """A patient places an order just now; its id."""
        patient = self.rng.choice(list(self.world.patients.values()))
        placed = order_freely(self.world, patient, self.sandbox.world.day, self.rng)
        self.just_now()
        return str(placed["id"])

    def just_now(self) -> None:
        """The last event happened after all others."""
        list(self.world.events.values())[-1].at = self._next_moment()

    def _next_moment(self) -> datetime:
        self._ticks += 1
        return self.sandbox.moment + timedelta(seconds=self._ticks)

    def change_plan(self, plan: Plan, **values: Any) -> str:
        """A plan becomes another; the id of the event that tells of it."""
        plan.record |= values
        plan.record["updated_at"] = self.sandbox.moment.isoformat()
        kind = "treatment_plan.updated" if values.get("state") else "treatment_plan.recommendation.updated"
        # The vendor's sample of a cancellation still says that the plan is active.
        event_plan = {key: value for key, value in plan.record.items() if key != "state"} | {"active": "true"}
        return self.record_event(kind, {"treatment_plan": event_plan})

    def active_plans(self) -> list[Plan]:
        return [plan for plan in self.world.plans.values() if plan.record["state"] == "active"]

    def payload(self, event_id: str) -> dict[str, Any]:
        """What a webhook about an event says."""
        event = self.world.events[event_id]
        return {**event.row, "data": event.data}

    def receive(self, *events: dict[str, Any]) -> None:
        """The receiver has stored these payloads."""
        for event in events:
            body = json.dumps({"event_payload": {"event": event}}).encode()
            delivery = Delivery(
                server=self.clinic.server,
                event_id=str(event["id"]),
                clinic_id=str(event.get("clinic_id") or ""),
                body=body,
            )
            self.store.inbox.keep_delivery(delivery)

    def look(self) -> tuple[refresh.RefreshRequest | None, Counter[str]]:
        """One look at the feeds, and what it asked."""
        with self.session(self.clinic) as session:
            return refresh.poll_feeds(session, self.store), session.requests

    def handle(
        self, between: Callable[[ClinicSession], None] = lambda _: None
    ) -> tuple[refresh.RefreshResult, Counter[str]]:
        """Handles what waits, and what that asked; pages aside."""
        with self.session(self.clinic) as session:
            done = refresh.handle_events(self.target(self.clinic), session, self.store)
            between(session)
            refresh.mark_refresh_done(self.store, session, done)
            return done, session.requests

    def reconcile(self) -> refresh.ReconcileResult:
        with self.session(self.clinic) as session:
            result = refresh.reconcile(session, self.store)
        assert result is not None
        return result

    def inbox(self) -> dict[str, tuple[str, str | None]]:
        return {
            delivery.event_id: (delivery.state, delivery.reason)
            for delivery in self.store.inbox.deliveries(with_body=False)
        }

    def stored(self, table: str, columns: Sequence[str], where: str = "true") -> list[tuple[Any, ...]]:
        return self.rows(f"SELECT {', '.join(columns)} FROM core.{table} WHERE {where} ORDER BY ALL")


@contextmanager
def open_live_clinic(
    directory: Path,
    *,
    clinics: int = 1,
    all_clinics: int = 3,
    patients: int = 12,
    pulled: bool = True,
    **options: Any,
) -> Iterator[LiveClinic]:
    """A sandbox whose world the test may change, everything of the first `clinics` pulled once unless told not to."""
    opened: list[Sandbox] = []
    real = Sandbox.open

    def keep(*given: Any, **more: Any) -> Sandbox:
        opened.append(real(*given, **more))
        return opened[-1]

    with (
        mock.patch.object(Sandbox, "open", keep),
        connected_pipeline(
            directory, clinics=clinics, world_clinics=all_clinics, patients=patients, **options
        ) as connected,
    ):
        live_clinic = LiveClinic(connected, opened[-1])
        if pulled:
            live_clinic.pull_everything()
        yield live_clinic
