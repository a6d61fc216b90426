"""A person who is purged is in no file of the data directory any more, and nobody else is touched."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.atomic_files import folder_aside
from fullscript_pipeline.errors import Busy, ConfigurationError, UsageError
from fullscript_pipeline.extraction.engine.landing_lock import claim_landing_file, release_lock
from fullscript_pipeline.health.purged import check_purged, stored_purged_patients
from fullscript_pipeline.maintenance.copies_elsewhere import external_exports, known_backups
from fullscript_pipeline.maintenance.erasure import purge_everywhere
from fullscript_pipeline.maintenance.person_file import write_person_file
from fullscript_pipeline.maintenance.report_store import open_report_store
from fullscript_pipeline.state import Delivery
from fullscript_pipeline.warehouse.files.frame_file import LandingDamage
from fullscript_pipeline.warehouse.files.shared_landing import open_shared_landing
from fullscript_pipeline_tests.helpers.person_everywhere import Filled
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.s3_server import S3Server

# Tables and views; marts.adherence_daily has counts and no patient, and its last day is counted again.
PERSON_MARTS = {
    *("adherence", "adherence_gaps", "adherence_timeline", "adherence_dose_periods"),
    *("patient_verdicts", "patients", "unordered_panels"),
}

# The products of each status as the mart has them, and as they are kept for its day.
STATUS_COUNTS = (
    "SELECT as_of, status, count(*) FROM marts.adherence WHERE clinic_id = ? AND is_current IS NOT FALSE "
    "GROUP BY ALL ORDER BY ALL",
    "SELECT d.day, d.status, d.count FROM marts.adherence_daily d WHERE d.clinic_id = ? "
    "AND d.day IN (SELECT as_of FROM marts.adherence a WHERE a.clinic_id = d.clinic_id) ORDER BY ALL",
)


_OTHERS = [pytest.param(place, marks=pytest.mark.check_all) for place in ("bucket", "shared")]


@pytest.fixture(scope="module", params=["folder", *_OTHERS])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """One for all: filling takes seconds; the tests take more and more out of it.

    Files are in a folder, or in a bucket; with the state store on PostgreSQL, landing files are in the bucket too.
    """
    variables, bucket = {"FULLSCRIPT_KEEP_PAGES_DAYS": "30"}, None
    if request.param != "folder":
        server: S3Server = request.getfixturevalue("s3")
        bucket = server.new_bucket()
        variables |= {"FULLSCRIPT_FILES_URL": bucket.url, **server.variables}
    if request.param == "shared":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        variables["FULLSCRIPT_STATE_URL"] = postgres.url_of("erasure")
    os.environ.update(variables)
    with connected_pipeline(tmp_path_factory.mktemp("world"), clinics=2, patients=10, products=12) as connected:
        yield Filled(connected, bucket)
    for name in variables:
        del os.environ[name]


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
    if shared := open_shared_landing(filled.settings):
        pull = f"{filled.other.server}/{filled.other.clinic_key}/2026-11-01/patients.1-another"
        shared.put_frame(pull, 1, b"of another machine")
        with filled.store.db.named_lock(f"landing {pull}", 1), pytest.raises(Busy, match="let it finish"):
            purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.other, "nobody")
        shared.files.delete_folder(f"{pull}.open")
        return
    folder = filled.settings.landing_dir / filled.other.server / filled.other.clinic_key / "2026-11-01"
    path, claim = claim_landing_file(folder, "patients", "someone")
    path.touch()
    with pytest.raises(Busy, match="let it finish"):
        purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.other, "nobody")
    release_lock(claim)


def test_a_purge_never_succeeds_over_a_file_that_it_cannot_read(filled: Filled) -> None:
    damaged = next((filled.landed / filled.clinic.server / filled.clinic.clinic_key).rglob("patients.*"))
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


def test_a_purge_refuses_while_pages_of_a_former_place_are_left(filled: Filled, tmp_path: Path) -> None:
    moved = filled.settings.model_copy(update={"files_url": f"file://{tmp_path}/elsewhere"})
    former = filled.settings.data_dir / "reports" / "clinics"
    former.mkdir(parents=True, exist_ok=True)
    with pytest.raises(ConfigurationError, match=r"still in .*/reports.*pages are in .*/elsewhere/reports now"):
        purge_everywhere(moved, filled.warehouse, filled.store, filled.clinic, filled.patient)
    if filled.bucket:
        former.rmdir()


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
    assert external_exports(filled.settings, filled.store) == [str(tmp_path / "share")]


def test_a_purged_person_is_nowhere_and_everybody_else_stays(filled: Filled) -> None:
    needles = [filled.last_name, filled.email, *filled.ids]
    there = filled.found(*needles)
    for needle in (filled.last_name, filled.patient):
        assert {"fullscript.duckdb", "supply.csv"} <= there[needle], "the test must be able to find them"
    before, others = filled.counts(filled.clinic.clinic_id), filled.counts(filled.other.clinic_id)
    in_marts = filled.rows_in_marts()
    assert {table for table, rows in in_marts.items() if rows} >= PERSON_MARTS
    today = clock.today(filled.settings.time_zone)
    assert [snooze.patient_id for snooze in filled.store.snoozes.current(filled.clinic, today)] == [filled.patient]

    purged = purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.clinic, filled.patient)

    assert filled.found(*needles) == {}
    assert filled.rows_in_marts() == dict.fromkeys(in_marts, 0)
    assert filled.store.snoozes.current(filled.clinic, today) == []
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
    assert filled.clinic.clinic_key in open_report_store(filled.settings).clinic_keys()
    assert {path.name for path in filled.published()} == {
        "fullscript.duckdb",
        "fullscript-pseudonymised.duckdb",
        "fullscript-deidentified.duckdb",
    }
    assert purged.failed_copies == ()
    with filled.warehouse.read() as con:
        counted, stored = (con.execute(sql, [filled.clinic.clinic_id]).fetchall() for sql in STATUS_COUNTS)
        audit = con.execute("SELECT kind, subject, removed FROM ops.purges").fetchall()
    assert counted == stored != []
    assert [(kind, len(subject)) for kind, subject, _ in audit] == [("patient", 32)]
    again = purge_everywhere(filled.settings, filled.warehouse, filled.store, filled.clinic, filled.patient)
    assert again.counts == {}, "a second purge finds nothing and leaves no second line"


def test_no_pull_and_no_webhook_brings_a_purged_person_back_until_that_is_undone(filled: Filled) -> None:
    needles = [filled.last_name, filled.email, *filled.ids]
    before = filled.counts(filled.clinic.clinic_id)
    body = f'{{"event": {{"type": "patient.updated", "data": {{"patient": {{"id": "{filled.patient}"}}}}}}}}'.encode()
    filled.store.inbox.keep_delivery(Delivery(server=filled.clinic.server, event_id="d-2", body=body))
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
    assert len(purged.failed_copies) == 2, "the pseudonymised and the de-identified one need their key"
    assert [path.name for path in filled.published()] == ["fullscript.duckdb"]
    filled.settings = keyless
    assert filled.found(filled.clinic.clinic_key, filled.clinic.clinic_id) == {}
    assert filled.counts(filled.other.clinic_id) == others
    assert filled.counts(filled.clinic.clinic_id)["patients"] == 0
