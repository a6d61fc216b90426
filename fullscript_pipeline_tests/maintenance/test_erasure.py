"""A person who is purged is in no file of the data directory any more, and nobody else is touched."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.api import open_session
from fullscript_pipeline.atomic_files import folder_aside
from fullscript_pipeline.errors import Busy, UsageError
from fullscript_pipeline.extraction.engine.landing_lock import claim_landing_file, release_lock
from fullscript_pipeline.extraction.engine.pull import Target
from fullscript_pipeline.extraction.pulls import clinic, event_feeds, lab_orders, orders, treatment_plans
from fullscript_pipeline.health.purged import check_purged, stored_purged_patients
from fullscript_pipeline.maintenance.copies_elsewhere import external_exports, known_backups
from fullscript_pipeline.maintenance.erasure import purge_everywhere
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rebuild_mart, rewrite_pages, write_past_pages
from fullscript_pipeline.maintenance.person_file import write_person_file
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.refresh import handle_events, mark_refresh_done, poll_feeds
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import Clinic, Delivery, LedgerEvent
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.frame_file import FrameFile, LandingDamage
from fullscript_pipeline.warehouse.publishing.export import export
from fullscript_pipeline.warehouse.publishing.publish import CopyOptions, Level, publish
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline


class Filled:
    """A data directory that holds a person everywhere a person may be."""

    def __init__(self, connected: Connected) -> None:
        self.connected, self.settings, self.store = connected, connected.settings, connected.store
        self.warehouse: Warehouse = open_warehouse(load_settings())
        self.clinic, self.other = self.store.clinics.all()[:2]
        for one in (self.clinic, self.other):
            self.pull(one)
        yesterday = clock.today(self.settings.time_zone) - timedelta(days=1)
        write_past_pages(self.clinic_day(self.clinic, yesterday), ReportStore(self.settings.reports_dir))
        self.patient = self._somebody()
        self.ids = self._ids()
        self.store.events.record(
            [LedgerEvent(self.clinic.server, self.clinic.clinic_id, "e-1", "patient.updated", self.patient)]
        )
        body = f'{{"event": {{"data": {{"patient": {{"id": "{self.patient}"}}}}}}}}'.encode()
        self.store.inbox.keep_delivery(Delivery(self.clinic.server, "d-1", clinic_id=self.clinic.clinic_id, body=body))
        self.settings = self.settings.model_copy(update={"publish_key": "for the analysts, a long text 12345"})
        for level in Level:
            publish(self.settings, self.warehouse, CopyOptions(level, k=2 if level is Level.DEIDENTIFIED else None))
        export(self.warehouse, self.settings.data_dir / "exports" / "one", "csv", ["patients"])

    def clinic_day(self, clinic: Clinic, day: date) -> ClinicDay:
        return ClinicDay(settings=self.settings, warehouse=self.warehouse, clinic=clinic, day=day)

    def pull(self, one: Clinic, *, pages: bool = True, only_patients: bool = False) -> None:
        day = clock.today(self.settings.time_zone)
        target = Target(
            warehouse=self.warehouse,
            landing_dir=self.settings.landing_dir,
            encryption_key=None,
            server=one.server,
            region=one.region,
            day=day,
            run_id="run",
            clinic=one,
        )
        with open_session(self.settings, self.store, one) as session:
            clinic.pull_clinic(target, session)
            clinic.pull_patients(target, session)
            if one == self.other or only_patients:
                return
            clinic.pull_people(target, session)
            event_feeds.pull_events(target, session, self.store)
            treatment_plans.pull_plans(target, session, [])
            orders.pull_orders(target, session)
            lab_orders.pull_labs(target, session)
        if not pages:
            return
        its = self.clinic_day(one, day)
        rebuild_mart(its)
        rewrite_pages(its, ReportStore(self.settings.reports_dir))

    def refresh(self) -> None:
        """One round of the feeds, by hand."""
        target = Target(
            warehouse=self.warehouse, landing_dir=self.settings.landing_dir, encryption_key=None,
            server=self.clinic.server, region=self.clinic.region, day=clock.today(self.settings.time_zone),
            run_id="run", clinic=self.clinic,
        )  # fmt: skip
        with open_session(self.settings, self.store, self.clinic) as session:
            poll_feeds(session, self.store)
            # All but those of products, each of which would be read.
            waiting = self.store.events.pending(self.clinic.server, self.clinic.clinic_id)
            ids = [one.event_id for one in waiting if not str(one.event_type).startswith("product.")]
            mark_refresh_done(self.store, session, handle_events(target, session, self.store, ids))

    def _somebody(self) -> str:
        """A patient with plans and orders whose last name nobody else has."""
        sql = """SELECT patient_id, last_name, email FROM core.patients p WHERE clinic_id = ?
            AND patient_id IN (SELECT patient_id FROM core.treatment_plans)
            AND patient_id IN (SELECT patient_id FROM core.orders)
            AND last_name NOT IN (SELECT last_name FROM core.practitioners UNION SELECT last_name FROM core.staff)
            AND (SELECT count(*) FROM core.patients o WHERE o.last_name = p.last_name) = 1 AND len(last_name) > 5
            ORDER BY 1 LIMIT 1"""
        with self.warehouse.read() as con:
            patient, self.last_name, self.email = con.execute(sql, [self.clinic.clinic_id]).fetchall()[0]
        return str(patient)

    def _ids(self) -> set[str]:
        with self.warehouse.read() as con:
            rows = con.execute(
                "SELECT treatment_plan_id FROM core.treatment_plans WHERE patient_id = $p "
                "UNION SELECT order_id FROM core.orders WHERE patient_id = $p",
                {"p": self.patient},
            ).fetchall()
        return {self.patient, *(found for (found,) in rows)}

    def counts(self, clinic_id: str) -> dict[str, int]:
        tables = ("patients", "treatment_plans", "recommendations", "orders", "order_line_items", "events")
        with self.warehouse.read() as con:
            return {
                table: con.execute(f"SELECT count(*) FROM core.{table} WHERE clinic_id = ?", [clinic_id]).fetchall()[0][
                    0
                ]
                for table in tables
            }

    def everything(self) -> Iterator[tuple[Path, bytes]]:
        """Every byte of the data directory, packed files unpacked, and every row of the warehouse."""
        for path in self.settings.data_dir.rglob("*"):
            if not path.is_file():
                continue
            yield path, path.name.encode() + b"\n" + path.read_bytes()
            if path.suffix == ".frames":
                for request, lines in FrameFile(path).frames():
                    yield path, request.key.encode() + b"\n".join(lines)
            elif path.suffix in {".zip", ".xlsx"}:
                with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
                    for name in archive.namelist():
                        yield path, name.encode() + archive.read(name)
        yield from ((self.settings.warehouse_path, row) for row in _rows(Warehouse(self.settings.warehouse_path)))
        for path in self.settings.published_dir.glob("*.duckdb"):
            copy = Warehouse(path, self.settings.publish_key, temp_dir=self.settings.data_dir / "tmp")
            yield from ((path, row) for row in _rows(copy))

    def found(self, *texts: str) -> dict[str, set[str]]:
        """In which files each text stands; texts that stand in none are left out."""
        places: dict[str, set[str]] = {}
        for path, content in self.everything():
            for text in texts:
                if text.encode() in content:
                    places.setdefault(text, set()).add(path.name)
        return places


def _rows(warehouse: Warehouse) -> Iterator[bytes]:
    with warehouse.read_unlocked() as con:
        tables = con.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
        for (table,) in tables:
            for (row,) in con.execute(f"SELECT to_json(t)::VARCHAR FROM {table} t").fetchall():
                yield str(row).encode()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """One for all: filling takes seconds; the tests take more and more out of it."""
    os.environ["FULLSCRIPT_KEEP_PAGES_DAYS"] = "30"
    with connected_pipeline(tmp_path_factory.mktemp("world"), clinics=2, patients=10, products=12) as connected:
        yield Filled(connected)
    del os.environ["FULLSCRIPT_KEEP_PAGES_DAYS"]


def test_all_that_is_held_about_a_person_is_in_one_file(filled: Filled, tmp_path: Path) -> None:
    """Whatever names them anywhere, and nobody else."""
    written = write_person_file(
        filled.settings, filled.warehouse, filled.store, filled.clinic, filled.patient, tmp_path / "out"
    )
    assert written.path.stat().st_mode & 0o777 == 0o600
    text = written.path.read_text()
    held = json.loads(text)
    assert set(held["ids"]) >= filled.ids
    assert {"core.patients", "history.treatment_plans", "core.orders", "marts.adherence"} <= {
        table for table, rows in held["warehouse"].items() if rows
    }
    assert held["warehouse"]["core.patients"][0]["last_name"] == filled.last_name
    assert {one["endpoint"] for one in held["landing"]} >= {"patients", "patient_treatment_plans", "orders"}
    assert filled.patient in held["state"]["webhook_inbox"][0]["body"]
    assert filled.patient in {one["resource_id"] for one in held["state"]["events"]}
    assert len(held["copies"]["pages"]) == 2, "today's and yesterday's"
    assert all(held["copies"][kind] for kind in ("kept_pages", "published", "exports"))
    with filled.warehouse.read() as con:
        others = con.execute("SELECT email FROM core.patients WHERE patient_id != ?", [filled.patient]).fetchall()
    assert not [email for (email,) in others if email and email in text]
    with pytest.raises(UsageError, match="check the id"):
        write_person_file(filled.settings, filled.warehouse, filled.store, filled.clinic, "nobody", tmp_path / "out")


def test_a_file_that_a_run_is_filling_is_not_touched(filled: Filled) -> None:
    folder = filled.settings.landing_dir / filled.other.server / filled.other.clinic_key / "2026-11-01"
    path, claim = claim_landing_file(folder, "patients", "someone")
    path.touch()
    with pytest.raises(Busy, match="let it finish"):
        purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.other, "nobody")
    release_lock(claim)


def test_a_purge_never_succeeds_over_a_file_that_it_cannot_read(filled: Filled) -> None:
    damaged = next((filled.settings.landing_dir / filled.clinic.server / filled.clinic.clinic_key).rglob("patients.*"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    before = filled.counts(filled.clinic.clinic_id)
    try:
        with pytest.raises(LandingDamage, match=damaged.name):
            purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.clinic, filled.patient)
        assert filled.counts(filled.clinic.clinic_id) == before, (
            "it can be repeated: the warehouse still knows whose is what"
        )
    finally:
        damaged.write_bytes(whole)


def test_a_purge_reaches_half_a_backup_and_waits_for_a_whole_one(filled: Filled, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for event in ("started", "finished"):
        destination = elsewhere / "20261101T000000Z" if event == "finished" else elsewhere
        filled.store.audit.append(event, {"command": "backup", "destination": str(destination)})
    filled.store.audit.append("started", {"command": "export", "destination": str(tmp_path / "share")})
    left = [folder / ".20261101T000000Z.writing" for folder in (filled.settings.backups_dir, elsewhere)]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "fullscript.duckdb").write_text(filled.last_name)
    with folder_aside(elsewhere / "20261102T000000Z"), pytest.raises(Busy, match="A backup is being written"):
        purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.clinic, "nobody")
    assert not any(folder.exists() for folder in left)
    assert known_backups(filled.settings, filled.store) == [elsewhere / "20261101T000000Z"]
    assert external_exports(filled.settings, filled.store) == [tmp_path / "share"]


def test_a_purged_person_is_nowhere_and_everybody_else_stays(filled: Filled) -> None:
    needles = [filled.last_name, filled.email, *filled.ids]
    there = filled.found(*needles)
    for needle in (filled.last_name, filled.patient):
        assert {"fullscript.duckdb", "supply.csv"} <= there[needle], "the test must be able to find them"
    before, others = filled.counts(filled.clinic.clinic_id), filled.counts(filled.other.clinic_id)

    purged = purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.clinic, filled.patient)

    assert filled.found(*needles) == {}
    assert purged.counts["core.patients"] == 1
    assert {
        "landing_lines",
        "pages",
        "kept_pages",
        "state",
        "exports",
        "published",
        "pages_of_earlier_days",
    } <= purged.counts.keys()
    after = filled.counts(filled.clinic.clinic_id)
    assert after["patients"] == before["patients"] - 1
    assert after["orders"] == before["orders"] - purged.counts["core.orders"]
    assert after["recommendations"] > 0
    assert filled.counts(filled.other.clinic_id) == others
    assert (filled.settings.reports_dir / "clinics" / filled.clinic.clinic_key / "index.html").exists()
    assert {path.name for path in filled.settings.published_dir.glob("*.duckdb")} == {
        "fullscript.duckdb",
        "fullscript-pseudonymised.duckdb",
        "fullscript-deidentified.duckdb",
    }
    assert purged.failed_copies == ()
    with filled.warehouse.read() as con:
        audit = con.execute("SELECT kind, subject, removed FROM ops.purges").fetchall()
    assert [(kind, len(subject)) for kind, subject, _ in audit] == [("patient", 32)]
    again = purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.clinic, filled.patient)
    assert again.counts == {}, "a second purge finds nothing and leaves no second line"


def test_no_pull_and_no_webhook_brings_a_purged_person_back_until_that_is_undone(filled: Filled) -> None:
    needles = [filled.last_name, filled.email, *filled.ids]
    before = filled.counts(filled.clinic.clinic_id)
    body = f'{{"event": {{"type": "patient.updated", "data": {{"patient": {{"id": "{filled.patient}"}}}}}}}}'.encode()
    filled.store.inbox.keep_delivery(Delivery(filled.clinic.server, "d-2", body=body))
    filled.pull(filled.clinic, pages=False)
    filled.refresh()

    assert filled.found(*needles) == {}
    after = filled.counts(filled.clinic.clinic_id)
    assert {name: after[name] for name in ("patients", "treatment_plans", "orders")} == {
        name: before[name] for name in ("patients", "treatment_plans", "orders")
    }
    with filled.warehouse.read() as con:
        rows = con.execute(
            "SELECT resource, left_out, complete, reason FROM ops.pulls WHERE left_out > 0 ORDER BY ALL"
        ).fetchall()
        assert stored_purged_patients(con, filled.store) == []
        (finding,) = check_purged(con, filled.store)
    told = {resource: (left, complete, reason) for resource, left, complete, reason in rows}
    assert told["patients"] == (1, True, "1 record of people who were purged left out"), (
        "the list is whole all the same"
    )
    assert "orders" in told
    assert finding.what == "1 purged person kept out of every pull"
    pending = filled.store.events.pending(filled.clinic.server, filled.clinic.clinic_id)
    assert {event.event_type for event in pending if not str(event.event_type).startswith("product.")} == set(), (
        "an event about them waits for nothing"
    )

    assert filled.store.purged.forget(filled.clinic, filled.patient)
    filled.pull(filled.clinic, only_patients=True)
    assert filled.patient in filled.found(filled.patient)
    assert filled.counts(filled.clinic.clinic_id)["patients"] == before["patients"] + 1


def test_a_purged_clinic_is_nowhere_and_the_other_stays(filled: Filled) -> None:
    others = filled.counts(filled.other.clinic_id)
    keyless = filled.settings.model_copy(update={"publish_key": None})
    purged = purge_everywhere(keyless, filled.warehouse, filled.store, filled.clinic)
    assert [reason.split()[1] for reason in purged.failed_copies] == ["pseudonymised", "deidentified"]
    assert [path.name for path in filled.settings.published_dir.glob("*.duckdb")] == ["fullscript.duckdb"]
    filled.settings = keyless
    assert filled.found(filled.clinic.clinic_key, filled.clinic.clinic_id) == {}
    assert filled.counts(filled.other.clinic_id) == others
    assert filled.counts(filled.clinic.clinic_id)["patients"] == 0
