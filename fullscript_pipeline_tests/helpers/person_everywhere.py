"""A data directory that holds a person everywhere a person may be: tables, pages, files, copies, the state store.

What does not belong here: what a purge removes (the tests).
"""

import io
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb

from fullscript_pipeline import clock
from fullscript_pipeline.api import open_session
from fullscript_pipeline.cli.export_place import ExportPlace
from fullscript_pipeline.extraction.engine import Target, share_pulls
from fullscript_pipeline.extraction.pulls import clinic, event_feeds, lab_orders, orders, treatment_plans
from fullscript_pipeline.maintenance.page_rebuild import ClinicDay, rebuild_mart, rewrite_pages, write_past_pages
from fullscript_pipeline.maintenance.report_store import open_report_store
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.refresh import handle_events, mark_refresh_done, poll_feeds
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import Clinic, Delivery, LedgerEvent, Snooze
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.files.frame_file import FrameFile
from fullscript_pipeline.warehouse.publishing.export import export
from fullscript_pipeline.warehouse.publishing.publish import CopyOptions, Level, publish
from fullscript_pipeline_tests.helpers.pipeline import Connected
from fullscript_pipeline_tests.helpers.s3_server import Bucket


class Filled:
    """A data directory, and a bucket if there is one, that hold a person everywhere a person may be."""

    def __init__(self, connected: Connected, bucket: Bucket | None = None) -> None:
        self.bucket = bucket
        self.connected, self.settings, self.store = connected, connected.settings, connected.store
        self.warehouse: Warehouse = open_warehouse(load_settings())
        self.clinic, self.other = self.store.clinics.all()[:2]
        for one in (self.clinic, self.other):
            self.pull(one)
        yesterday = clock.today(self.settings.time_zone) - timedelta(days=1)
        write_past_pages(self.clinic_day(self.clinic, yesterday), open_report_store(self.settings))
        self.patient = self._somebody()
        self.ids = self._ids()
        self.store.events.record(
            [
                LedgerEvent(
                    server=self.clinic.server,
                    clinic_id=self.clinic.clinic_id,
                    event_id="e-1",
                    event_type="patient.updated",
                    resource_id=self.patient,
                )
            ]
        )
        body = f'{{"event": {{"data": {{"patient": {{"id": "{self.patient}"}}}}}}}}'.encode()
        self.store.inbox.keep_delivery(
            Delivery(server=self.clinic.server, event_id="d-1", clinic_id=self.clinic.clinic_id, body=body)
        )
        self.settings = self.settings.model_copy(update={"publish_key": "for the analysts, a long text 12345"})
        self._add_what_the_world_lacks()
        for level in Level:
            publish(
                self.settings, self.warehouse, CopyOptions(level=level, k=2 if level is Level.DEIDENTIFIED else None)
            )
        place = ExportPlace.of(self.settings, None)
        export(self.warehouse, place.folder, "csv", ["patients"])
        place.keep()

    @property
    def landed(self) -> Path:
        """Where the landing files are; a bucket's are files of its server."""
        is_shared = self.settings.is_landing_shared
        return self.bucket.folder / "landing" if self.bucket and is_shared else self.settings.landing_dir

    def _add_what_the_world_lacks(self) -> None:
        """Adds a panel that nobody ordered, gaps and doses (without a catalog nothing is measured), and a snooze."""
        today = clock.today(self.settings.time_zone)
        until = today + timedelta(days=9)
        self.store.snoozes.add(
            self.clinic, Snooze(patient_id=self.patient, until=until, note=f"rings {self.last_name} back"), today
        )
        with self.warehouse.write() as con:
            con.execute(
                """INSERT INTO history.lab_recommendations BY NAME SELECT clinic_id, treatment_plan_id, 99 AS position,
                'Panel ' || patient_id AS name, available_at AS valid_from FROM core.treatment_plans p
                WHERE patient_id = ? AND state = 'active' AND NOT EXISTS (
                    FROM core.lab_orders o WHERE o.treatment_plan_id = p.treatment_plan_id
                )""",
                [self.patient],
            )
            for table in ("adherence_gaps", "adherence_dose_periods"):
                con.execute(
                    f"INSERT INTO marts.{table} BY NAME SELECT clinic_id, patient_id, treatment_plan_id, product_id, "
                    "as_of FROM marts.adherence WHERE patient_id = ?",
                    [self.patient],
                )

    def rows_in_marts(self) -> dict[str, int]:
        """How many rows of each table and view of the marts are about the person."""
        with self.warehouse.read() as con:
            tables = con.execute(
                "SELECT DISTINCT table_name FROM duckdb_columns() WHERE schema_name = 'marts' "
                "AND column_name = 'patient_id' AND database_name = current_database()"
            ).fetchall()
            counts = {}
            for (table,) in tables:
                rows = con.execute(f"SELECT count(*) FROM marts.{table} WHERE patient_id = ?", [self.patient])
                (counts[table],) = rows.fetchone() or (0,)
        return counts

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
            shared=share_pulls(self.settings, self.store),
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
        rewrite_pages(its, open_report_store(self.settings))

    def refresh(self) -> None:
        """One round of the feeds, by hand."""
        target = Target(
            warehouse=self.warehouse, landing_dir=self.settings.landing_dir, encryption_key=None,
            server=self.clinic.server, region=self.clinic.region, day=clock.today(self.settings.time_zone),
            run_id="run", clinic=self.clinic, shared=share_pulls(self.settings, self.store),
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
        """Every byte of the directory and the bucket, packed files unpacked, and every row of warehouse and copies."""
        folders = [self.settings.data_dir, *([self.bucket.folder] if self.bucket else [])]
        for path in (path for folder in folders for path in folder.rglob("*")):
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
        with self.warehouse.read() as con:
            yield from ((self.settings.warehouse_path, row) for row in _rows(con))
        for path in self.published():
            copy = Warehouse(path, self.settings.publish_key, temp_dir=self.settings.data_dir / "tmp")
            with copy.read_unlocked() as con:
                yield from ((path, row) for row in _rows(con))

    def published(self) -> list[Path]:
        """The copies for analysts; a bucket's are files of its server."""
        folder = self.bucket.folder / "published" if self.bucket else self.settings.published_dir
        return sorted(folder.glob("*.duckdb"))

    def found(self, *texts: str) -> dict[str, set[str]]:
        """In which files each text stands; texts that stand in none are left out."""
        places: dict[str, set[str]] = {}
        for path, content in self.everything():
            for text in texts:
                if text.encode() in content:
                    places.setdefault(text, set()).add(path.name)
        return places


def _rows(con: duckdb.DuckDBPyConnection) -> Iterator[bytes]:
    tables = con.execute(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = current_database()"
    ).fetchall()
    for (table,) in tables:
        for (row,) in con.execute(f"SELECT to_json(t)::VARCHAR FROM {table} t").fetchall():
            yield str(row).encode()
