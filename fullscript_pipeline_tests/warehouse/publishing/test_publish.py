"""The files of copies: whole or not there, with their own secrets, and what is in a small de-identified one.

What a reader could find in them: test_reidentification.py.
"""

from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.publishing.deidentify import EmptyCopy
from fullscript_pipeline.warehouse.publishing.publish import CopyOptions, Level, options_of_copies, publish
from fullscript_pipeline_tests.helpers.analyst_copies import PEPPER, PIPELINE_KEY, copy_of, with_secrets
from fullscript_pipeline_tests.helpers.s3_server import Bucket


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    settings = with_secrets(load_settings())
    settings.prepare_data_dir()
    return settings


@pytest.fixture
def few(warehouse: Warehouse) -> Warehouse:
    with warehouse.write() as con:
        con.execute("INSERT INTO core.patients (clinic_id, patient_id) VALUES ('c', 'a'), ('c', 'b')")
    return warehouse


def test_a_copy_without_its_secrets_is_not_begun(settings: Settings, few: Warehouse) -> None:
    for options, changed in (
        (CopyOptions(level=Level.PSEUDONYMISED), settings.model_copy(update={"publish_key": PIPELINE_KEY})),
        (CopyOptions(level=Level.DEIDENTIFIED), settings.model_copy(update={"publish_key": None})),
        (CopyOptions(level=Level.PSEUDONYMISED, shift_dates=True), settings),
    ):
        with pytest.raises(ConfigurationError, match="FULLSCRIPT_PUBLISH_"):
            publish(changed, few, options)
    assert list(settings.published_dir.iterdir()) == []


def test_a_copy_of_too_few_is_refused_and_leaves_no_file(settings: Settings, few: Warehouse) -> None:
    with pytest.raises(EmptyCopy, match="none of the 2 patients"):
        publish(settings, few, CopyOptions(level=Level.DEIDENTIFIED))
    assert list(settings.published_dir.iterdir()) == []


def test_what_is_gone_refunded_or_a_draft_is_in_no_deidentified_copy(
    settings: Settings, few: Warehouse, tmp_path: Path
) -> None:
    gone = "'2026-01-01'::TIMESTAMPTZ"
    with few.write() as con:
        con.execute(f"INSERT INTO core.patients (clinic_id, patient_id, removed_at) VALUES ('c', 'gone', {gone})")
        for kind, state, removed in (("kept", "active", "NULL"), ("draft", "draft", "NULL"), ("left", "active", gone)):
            con.execute(
                f"""INSERT INTO core.orders (clinic_id, order_id, patient_id, completed_on, is_refunded, removed_at)
                SELECT 'c', '{kind}-' || patient_id, patient_id, '2025-05-05', '{kind}' = 'draft', {removed}
                FROM core.patients"""
            )
            con.execute(
                f"""INSERT INTO history.treatment_plans
                    (clinic_id, treatment_plan_id, patient_id, created_on, state, removed_at, valid_from)
                SELECT 'c', '{kind}-' || patient_id, patient_id, '2025-05-05', '{state}', {removed}, '2025-05-05'
                FROM core.patients"""
            )
        lines = "SELECT 'c', order_id, 0, left(order_id, 4) FROM core.orders"
        con.execute(f"INSERT INTO core.order_line_items (clinic_id, order_id, position, variant_id) {lines}")
        con.execute(
            f"""INSERT INTO core.order_line_items (clinic_id, order_id, position, variant_id, removed_at)
            SELECT 'c', order_id, 1, 'line', {gone} FROM core.orders"""
        )
        con.execute(f"INSERT INTO history.recommendations (clinic_id, treatment_plan_id, position, variant_id) {lines}")
    copy = copy_of(settings, few, tmp_path / "copy", Level.DEIDENTIFIED, k=2)
    assert copy.rows("SELECT product_id FROM core.products") == [("variant:kept",)]
    counts = "(SELECT count(*) FROM core.patients), (SELECT count(*) FROM core.purchases)"
    assert copy.rows(f"SELECT {counts}, count(*) FROM core.recommendations") == [(2, 2, 2)]


def test_how_a_copy_was_made_is_read_back(settings: Settings, few: Warehouse) -> None:
    made = [CopyOptions(level=Level.PSEUDONYMISED, shift_dates=True), CopyOptions(level=Level.DEIDENTIFIED, k=2)]
    for options in made:
        publish(with_secrets(settings, PEPPER), few, options)
    assert options_of_copies(settings) == made
    assert options_of_copies(settings.model_copy(update={"publish_key": "another"})) == [
        Level.PSEUDONYMISED,
        Level.DEIDENTIFIED,
    ]
    names = {path.name for path in settings.published_dir.iterdir()}
    assert names == {"fullscript-pseudonymised.duckdb", "fullscript-deidentified.duckdb"}


def test_what_a_killed_publish_left_is_not_in_the_next_copy(settings: Settings, few: Warehouse) -> None:
    left = settings.published_dir / ".fullscript.duckdb.writing"
    for path in (left, left.with_name(f"{left.name}.wal")):
        path.write_bytes(b"half")
    published = publish(settings.model_copy(update={"encryption_key": None}), few)
    assert [one.name for one in settings.published_dir.iterdir()] == [Path(published.address).name]


def test_in_a_bucket_a_copy_is_one_object_with_a_note_of_how_it_was_made(
    few: Warehouse, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", bucket.url)
    settings = with_secrets(load_settings()).model_copy(update={"publish_pepper": PEPPER})
    settings.prepare_data_dir()
    shifted = CopyOptions(level=Level.PSEUDONYMISED, shift_dates=True)
    published = publish(settings, few, shifted)
    assert published.address == f"{bucket.url}/published/fullscript-pseudonymised.duckdb"
    name = "published/fullscript-pseudonymised.duckdb"
    assert bucket.objects() == [name, f"{name}.json"]
    assert list(settings.published_dir.iterdir()) == []
    with Warehouse(bucket.folder / name, published.key, temp_dir=tmp_path).read_unlocked() as con:
        assert con.execute("SELECT count(*), any_value(dates) FROM copy_info, core.patients").fetchall() == [
            (2, "shifted")
        ]
    assert options_of_copies(settings) == [shifted]
    (bucket.folder / f"{name}.json").unlink()
    assert options_of_copies(settings) == [Level.PSEUDONYMISED]
