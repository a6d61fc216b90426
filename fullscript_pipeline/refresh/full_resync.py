"""How long ago the feeds were read, which days that lost, and the full re-sync of a clinic because of it.

The vendor's feeds reach 30 days back. After a longer pause the events in between are lost: the span is recorded and
every object of the clinic is read again. What does not belong here: the rolling re-read of every daily pull
(`extraction`).
"""

from dataclasses import dataclass
from datetime import date

from fullscript_pipeline.api import ClinicRef, ClinicSession
from fullscript_pipeline.extraction.engine import Report, Target
from fullscript_pipeline.extraction.pulls import clinic as clinic_pulls
from fullscript_pipeline.extraction.pulls import feeds_of, lab_orders, missing_variants, orders, treatment_plans
from fullscript_pipeline.plural import counted
from fullscript_pipeline.refresh.cost_plan import THE_BEGINNING
from fullscript_pipeline.state import StateStore

WARN_DAYS = 7
ERROR_DAYS = 21


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How far behind a clinic's feeds are. `days`: None before the first pull; `lost_span`: days that no feed lists."""

    clinic_key: str
    days: int | None
    lost_span: str | None
    last_resync: str | None

    @property
    def level(self) -> str:
        """`error` (events are lost, or soon will be), `warn` or `ok`."""
        if self.lost_span or (self.days or 0) >= ERROR_DAYS:
            return "error"
        return "warn" if (self.days or 0) >= WARN_DAYS else "ok"

    def sentence(self) -> str:
        """Says what is wrong and what to do; '' when all is well."""
        if self.lost_span:
            return (
                f"what happened from {self.lost_span} is in no feed any more; a full re-sync is requested "
                "(job clinic_sweep, or `fullscript-pipeline refresh`)."
            )
        if self.level == "ok":
            return ""
        return (
            f"the event feeds were last read {counted(self.days or 0, 'day')} ago, and they reach 30 days back; start "
            "the daemon or run `fullscript-pipeline refresh`."
        )


def feed_freshness(store: StateStore, clinic: ClinicRef, today: date) -> Freshness:
    """Returns the freshness by the data's clock. A feed that the app may not read does not count."""
    positions = [
        store.feeds.position(clinic.server, clinic.clinic_id, feed)
        for feed in feeds_of(clinic.region)
        if feed not in {"clinic_key_events", "product_events"} and store.refusals.reason(clinic, feed, today) is None
    ]
    known = [date.fromisoformat(position) for position in positions if position]
    days = (today - min(known)).days if known else None
    last_resync = store.facts.get(_fact_name("swept", clinic))
    return Freshness(
        clinic_key=clinic.clinic_key, days=days, lost_span=pending_resync_span(store, clinic), last_resync=last_resync
    )


def pending_resync_span(store: StateStore, clinic: ClinicRef) -> str | None:
    """Returns the lost span that still needs a full re-sync; None: nothing was lost."""
    return store.facts.get(_fact_name("full_sweep", clinic)) or None


def resync_clinic(target: Target, session: ClinicSession) -> list[Report]:
    """Reads every patient, plan, order and lab order of the clinic again."""
    reports = [clinic_pulls.pull_patients(target, session)]
    with target.warehouse.read() as con:
        rows = con.execute(
            "SELECT patient_id FROM core.patients WHERE clinic_id = ? AND removed_at IS NULL ORDER BY 1",
            [session.clinic.clinic_id],
        ).fetchall()
    reports.append(treatment_plans.fetch_plans(target, session, [patient for (patient,) in rows], []))
    reports.append(orders.pull_order_days(target, session, THE_BEGINNING, target.day))
    reports.append(lab_orders.pull_labs(target, session))
    reports.append(missing_variants.pull_unknown_variants(target, session))
    return reports


def mark_resync_done(store: StateStore, clinic: ClinicRef, day: date) -> None:
    """Records that the re-sync is done. Call it when everything is committed and written."""
    if span := pending_resync_span(store, clinic):
        store.facts.set(_fact_name("swept", clinic), f"{span}, read again on {day}")
    store.facts.set(_fact_name("full_sweep", clinic), "")


def _fact_name(name: str, clinic: ClinicRef) -> str:
    return f"{name}:{clinic.server}:{clinic.clinic_id}"
