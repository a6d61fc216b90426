"""Lists that are shorter for this token: nothing goes, it is told, and `clinics accept-view` alone settles it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fullscript_pipeline import clock, refresh
from fullscript_pipeline.api import ClinicSession, ServerError
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.cli.clinics import clinics as clinics_command
from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.extraction.engine import Target
from fullscript_pipeline.extraction.pulls import catalog, treatment_plans
from fullscript_pipeline.extraction.pulls import clinic as people
from fullscript_pipeline.health import check_all
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rebuild_mart, rewrite_pages
from fullscript_pipeline.maintenance.warehouse_factory import mart_ddl
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.resources.reference_lists import ALLERGENS
from fullscript_pipeline.sandbox.settings import READ_SCOPES
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.api_sessions import CLINIC, FreeBudget, Sleeps, SomeTokens, session_at
from fullscript_pipeline_tests.helpers.clinic_fixture import LiveClinic, open_live_clinic
from fullscript_pipeline_tests.helpers.stub_server import Reply, Seen, odd_server

HISTORY = "patients:treatment_plan_history"
NARROW = " ".join(scope for scope in READ_SCOPES.split() if scope != HISTORY)


class Clinic(LiveClinic):
    """A clinic whose user or scopes change."""

    def reconnect(self, scopes: str = READ_SCOPES, user: str = "") -> None:
        """The grant of before is given up."""
        self.connected.sandbox.control.change(scopes=scopes)
        self.store.clinics.remove(self.clinic)
        self.connected.connect(self.world.slug, user)
        self.clinic = self.store.clinics.all()[0]

    def next_day(self) -> None:
        """All patients and all their plans are read the day after."""
        self.connected.sandbox.control.advance(days=1)
        self.connected.set_clock()
        with self.session(self.clinic) as session:
            people.pull_patients(self.target(self.clinic), session)
            treatment_plans.pull_plans(self.target(self.clinic), session, [], sweep_days=1)

    def removed(self, table: str = "treatment_plans") -> set[str]:
        key = "patient_id" if table == "patients" else "treatment_plan_id"
        return {one for (one,) in self.rows(f"SELECT {key} FROM core.{table} WHERE removed_at IS NOT NULL")}

    def of_the_app(self) -> set[str]:
        return {one.id for one in self.world.plans.values() if one.record["source"] != "api"}

    def reason(self, resource: str = "treatment_plans") -> str:
        sql = f"SELECT reason FROM ops.pulls WHERE resource = '{resource}' ORDER BY observed_at DESC, finished_at DESC"
        return str(self.rows(f"{sql} LIMIT 1")[0][0])

    def pages(self) -> list[str]:
        """The clinic's page, and one patient's."""
        store = ReportStore(self.connected.settings.reports_dir)
        migrate(self.warehouse, mart_ddl())
        today = clock.today(self.connected.settings.time_zone)
        live_clinic = ClinicDay(
            settings=self.connected.settings, warehouse=self.warehouse, clinic=self.clinic, day=today
        )
        rebuild_mart(live_clinic)
        rewrite_pages(live_clinic, store)
        patient = next(store.path_for_patient(self.clinic.clinic_key, "any").parent.glob("*.html"))
        return [path.read_text() for path in (store.path_for_clinic(self.clinic.clinic_key), patient)]

    def doctor(self) -> tuple[str, str]:
        """The state and the sentence of the clinic's view."""
        self.connected.set_clock()
        (found,) = [
            one for one in check_all(self.connected.settings) if one.id == f"clinic.{self.clinic.clinic_key}.view"
        ]
        return found.state, found.sentence


@contextmanager
def clinic(directory: Path, **options: object) -> Iterator[Clinic]:
    with open_live_clinic(directory, pulled=False, all_clinics=1, products=20, **options) as live_clinic:  # type: ignore[arg-type]
        made = Clinic(live_clinic.connected, live_clinic.sandbox)
        made.pull_everything()
        yield made


@pytest.mark.check_all
def test_a_reconnect_without_the_history_scope_removes_no_plan_and_is_told_until_it_is_back(tmp_path: Path) -> None:
    with clinic(tmp_path) as live_clinic:
        day = clock.now()
        assert live_clinic.doctor()[0] == "pass"
        live_clinic.reconnect(NARROW)
        for _ in range(3):
            live_clinic.next_day()
        assert live_clinic.of_the_app() and not live_clinic.removed()
        told = f"treatment_plans last read in full on {day:%Y-%m-%d}, since then without {HISTORY}"
        assert told in live_clinic.reason()
        assert all(
            "plans (last read in full on 2" in page and "permissions that see less" in page
            for page in live_clinic.pages()
        )
        state, sentence = live_clinic.doctor()
        assert state == "warn" and told in sentence
        assert f"connect {live_clinic.clinic.server}" in sentence and "clinics accept-view" in sentence

        gone = live_clinic.active_plans()[0]
        live_clinic.reconnect(READ_SCOPES)
        del live_clinic.world.plans[gone.id]
        live_clinic.world.plans_of[gone.patient_id].remove(gone)
        live_clinic.next_day()
        assert live_clinic.removed() == {gone.id}
        assert live_clinic.stored("treatment_plans", ["treatment_plan_id"], "removed_at IS NULL") == sorted(
            (one,) for one in live_clinic.world.plans
        )
        assert "read in full" not in live_clinic.reason() and live_clinic.doctor()[0] == "pass"
        assert not any("read in full" in page for page in live_clinic.pages())


@pytest.mark.check_all
def test_a_narrower_view_accepted_removes_what_it_does_not_list(tmp_path: Path) -> None:
    with clinic(tmp_path) as live_clinic:
        run = CliRunner()
        live_clinic.reconnect(NARROW)
        with pytest.raises(UsageError, match="first"):
            run.invoke(clinics_command, ["accept-view", live_clinic.clinic.clinic_key, "--yes"], catch_exceptions=False)
        live_clinic.next_day()
        live_clinic.pages()
        expected = live_clinic.of_the_app() & {
            one for (one,) in live_clinic.stored("treatment_plans", ["treatment_plan_id"])
        }
        refused = run.invoke(clinics_command, ["accept-view", live_clinic.clinic.clinic_key], input="n\n")
        assert refused.exit_code == 1 and "treatment_plans" in refused.output and str(len(expected)) in refused.output
        assert not live_clinic.removed()
        done = run.invoke(
            clinics_command, ["accept-view", live_clinic.clinic.clinic_key, "--yes"], catch_exceptions=False
        )
        assert done.exit_code == 0
        assert live_clinic.removed() == expected
        ((who, scopes, removed),) = live_clinic.rows("SELECT user_id, scopes, removed FROM ops.accepted_views")
        assert (
            who
            and set(scopes.split()) == set(NARROW.split())
            and json.loads(removed) == {"treatment_plans": len(expected)}
        )
        assert live_clinic.doctor()[0] == "pass"
        live_clinic.next_day()
        assert live_clinic.removed() == expected and "read in full" not in live_clinic.reason()
        assert run.invoke(clinics_command, ["--json"]).output.startswith('{"clinic_key"')


@pytest.mark.check_all
def test_another_user_alternating_with_the_first_removes_only_what_each_has_seen(tmp_path: Path) -> None:
    with clinic(tmp_path, assigned_patients_only=True) as live_clinic:
        everybody = set(live_clinic.world.patients)
        for day in range(5):
            live_clinic.reconnect(user="practitioner-2" if day % 2 == 0 else "")
            live_clinic.next_day()
            assert not live_clinic.removed("patients") and not live_clinic.removed()
            assert ("patients last read in full" in live_clinic.reason("patients")) is (day % 2 == 0)
        assert {one for (one,) in live_clinic.stored("patients", ["patient_id"])} >= everybody
        assert "by another user" in live_clinic.doctor()[1]


@pytest.mark.check_all
def test_a_pull_that_another_user_takes_up_removes_nothing(tmp_path: Path) -> None:
    """A token is renewed into another grant, or an interrupted pull goes on with another: nobody listed everything."""
    with clinic(tmp_path, assigned_patients_only=True) as live_clinic:
        with live_clinic.session(live_clinic.clinic) as session:
            live_clinic.reconnect(user="practitioner-2")
            # The first user's token ends; the store holds the second one's.
            live_clinic.connected.sandbox.control.revoke(live_clinic.world.slug)
            live_clinic.reconnect(user="practitioner-2")
            live_clinic.connected.sandbox.control.advance(days=1)
            live_clinic.connected.set_clock()
            report = people.pull_patients(live_clinic.target(live_clinic.clinic), session)
        assert report.outcome == "loaded"
        assert not live_clinic.removed("patients")
        users = live_clinic.rows("SELECT DISTINCT listed_by FROM ops.pulls WHERE resource = 'patients'")
        assert len(users) == 2, "the token that was used counts, not the one that the session was opened with"


def test_a_clinic_that_sees_less_of_the_catalog_takes_none_of_it_away(tmp_path: Path) -> None:
    """The first clinic that may lists the region's brands; on its days off another one does, which sees fewer."""
    listed = {"maple": list("abc"), "oak": ["a", "x"]}

    def answer(seen: Seen) -> Reply:
        brands = listed[seen.path.split("/")[1]]
        if not brands:
            return Reply(status=403)
        rows = [{"id": one, "name": one} for one in brands]
        return Reply(body={seen.path.rpartition("/")[2]: rows, "meta": {"total_count": len(rows)}})

    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    target = Target(
        warehouse=warehouse,
        landing_dir=tmp_path / "landing",
        encryption_key=None,
        server="us-snd",
        region="us",
        day=clock.now().date(),
        run_id="run",
    )
    oak = replace(CLINIC, clinic_id="c-2", clinic_key="oak")

    def there() -> str:
        with warehouse.read() as con:
            rows = con.execute("SELECT allergen_id FROM core.allergens WHERE removed_at IS NULL ORDER BY 1").fetchall()
        return "".join(one for (one,) in rows)

    def pull() -> str:
        with (
            session_at(f"{server.url}/maple") as first,
            ClinicSession(
                oak, f"{server.url}/oak", client=HttpClient(), tokens=SomeTokens(), budget=FreeBudget()
            ) as second,
        ):
            catalog.pull_reference_list(target, [first, second], ALLERGENS)
        return there()

    with odd_server(answer) as server:
        assert pull() == "abc"
        listed["maple"] = []
        assert pull() == "abcx"
        assert pull() == "abcx"
        listed["oak"] = ["a"]
        assert pull() == "abc", "what it has listed itself it may take away"
        listed["maple"] = ["a", "b"]
        assert pull() == "ab"


def test_pages_that_an_interrupted_pull_of_another_user_landed_prove_nothing(tmp_path: Path) -> None:
    pages: dict[str, Reply] = {}

    def answer(seen: Seen) -> Reply:
        return pages[seen.query["page[number]"]] if seen.path.endswith("staff") else Reply(status=403)

    def page(number: int, *ids: str) -> Reply:
        rows = [{"id": one, "first_name": "A"} for one in ids]
        return Reply(body={"staff": rows, "meta": {"total_count": 3, "total_pages": 2, "current_page": number}})

    warehouse = Warehouse(tmp_path / "w.duckdb")
    migrate(warehouse, [])
    target = Target(
        warehouse=warehouse,
        landing_dir=tmp_path / "landing",
        encryption_key=None,
        server="us-snd",
        region="us",
        day=clock.now().date(),
        run_id="run",
        clinic=CLINIC,
    )

    def pull(user: str) -> str | None:
        made = {"client": HttpClient(), "tokens": SomeTokens(), "budget": FreeBudget(), "retry": Sleeps().policy()}
        with ClinicSession(CLINIC, server.url, **made, user_id=user) as session:  # type: ignore[arg-type]
            return people.pull_people(target, session)[1].reason

    with odd_server(answer) as server:
        pages |= {"1": page(1, "1", "2"), "2": page(2, "3")}
        pull("anna")
        pages["2"] = Reply(status=500)
        with pytest.raises(ServerError):
            pull("anna")
        pages["2"] = page(2, "4")
        told = pull("bert")
        assert "of several users" in str(told)
        assert len(server.requests_to("/clinic/staff")) < 10, "page 1 was taken up"
    with warehouse.read() as con:
        rows = con.execute("SELECT staff_id, removed_at FROM core.staff ORDER BY 1").fetchall()
    assert rows == [(one, None) for one in "1234"]


@pytest.mark.check_all
def test_a_refresh_with_a_narrower_token_removes_no_plan(tmp_path: Path) -> None:
    """The detail of such a plan is a 404 for this token, and its patient's list lacks it."""
    with clinic(tmp_path) as live_clinic:
        live_clinic.handle()
        plan = next(one for one in live_clinic.active_plans() if one.record["source"] != "api")
        live_clinic.reconnect(NARROW)
        live_clinic.receive(live_clinic.payload(live_clinic.change_plan(plan, state="cancelled")))
        refresh.ingest_inbox(live_clinic.store)
        live_clinic.handle()
        assert not live_clinic.removed()
