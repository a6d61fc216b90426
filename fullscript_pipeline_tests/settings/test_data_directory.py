"""The data directory, the key of its files, and where files go."""

import stat
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.upgrades.migrations import migrate


@pytest.mark.parametrize(
    "name", ["que?ry=1", "ha#sh", "per%41cent", "tr ", " lead", "~no-such-user-here/x", "bad\udcff"]
)
def test_a_data_directory_that_databases_would_misread_is_refused_before_anything_is_made(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite took what follows a ? or # for options, and made its file beside the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", name)
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_DATA_DIR"):
        load_settings()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["sp ace", "quo'te", 'dou"ble', "new\nline", "st*r", "$HOME", "semi;colon", "e\u0301", "[x]"]
)
def test_any_other_character_works_in_a_data_directory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / name))
    monkeypatch.setenv("DAGSTER_HOME", "")  # opening an instance sets it: taken back at the end
    settings = load_settings()
    settings.prepare_data_dir()
    migrate(Warehouse(settings.warehouse_path, "a key that is long enough"), [])
    with StateStore(settings.state_path, None) as store:
        store.facts.set("x", "y")
    with open_instance(settings) as instance:
        instance.add_dynamic_partitions("clinics", ["one"])
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert {"state.sqlite", "fullscript.duckdb", "dagster_home"} <= {one.name for one in settings.data_dir.iterdir()}


def test_a_key_file_must_be_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("from the file\n")
    key.chmod(0o600)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY_FILE", str(key))
    assert load_settings().encryption_key == "from the file"
    key.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_settings()
    key.unlink()
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_ENCRYPTION_KEY_FILE"):
        load_settings()


def test_the_data_directory_is_private(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    settings = load_settings()
    settings.prepare_data_dir()
    settings.prepare_data_dir()
    for folder in (settings.data_dir, settings.landing_dir, settings.reports_dir, settings.dagster_home):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_folder_we_run_in_keeps_its_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    load_settings().prepare_data_dir()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "landing").stat().st_mode) == 0o700


def test_a_data_directory_that_cannot_be_made_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "file" / "data"))
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_DATA_DIR"):
        load_settings().prepare_data_dir()


@pytest.mark.parametrize(("text", "files_key"), [("", None), ("one", "one"), ("new, old", "old"), (" , ", None)])
def test_the_files_stay_under_the_last_key_of_a_list(
    monkeypatch: pytest.MonkeyPatch, text: str, files_key: str | None
) -> None:
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", text)
    assert load_settings().warehouse_key == files_key


@pytest.mark.parametrize(
    "text",
    ["/srv/files", "file://host/folder", "file:relative", "s3://", "s3://Bucket", "s3://key:secret@bucket/x",
     "s3://bucket/x?region=a", "s3://bucket/a//b", "gs://bucket/x"],
)  # fmt: skip
def test_what_is_no_place_for_files_is_refused_without_repeating_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", text)
    with pytest.raises(ConfigurationError, match=r"^FULLSCRIPT_FILES_URL is no place for files; write it as") as caught:
        load_settings()
    assert "secret" not in str(caught.value)


def test_files_may_be_in_another_folder_or_in_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load_settings().files_dir, load_settings().bucket_url) == (tmp_path / "data", None)
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", f"file://{tmp_path}/files/")
    assert (load_settings().published_dir, load_settings().bucket_url) == (tmp_path / "files" / "published", None)
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", "s3://bucket/prefix/")
    assert (load_settings().files_dir, load_settings().bucket_url) == (tmp_path / "data", "s3://bucket/prefix")


LAKE = "ducklake:postgres:dbname=lake host=db.example.org password=canary"


@pytest.mark.parametrize("text", ["dbname=lake password=canary", "ducklake:postgres:", "ducklake:canary.ducklake"])
def test_what_is_no_lake_is_refused_without_repeating_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://db.example.org/state")
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", text)
    with pytest.raises(ConfigurationError, match=r"^FULLSCRIPT_WAREHOUSE_URL is no address of a lake; write") as caught:
        load_settings()
    assert "canary" not in str(caught.value)


def test_a_lake_beside_a_state_store_of_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", LAKE)
    with pytest.raises(ConfigurationError, match=r"the state store is a file of this one: set FULLSCRIPT_STATE_URL"):
        load_settings()


def test_a_lakes_files_are_where_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().lake_catalog is None
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "postgresql://db.example.org/state")
    monkeypatch.setenv("FULLSCRIPT_WAREHOUSE_URL", LAKE)
    settings = load_settings()
    assert settings.lake_catalog == "dbname=lake host=db.example.org password=canary"
    assert (settings.lake_files, "canary" in repr(settings)) == (str(tmp_path / "data" / "lake"), False)
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", "s3://bucket/prefix")
    assert load_settings().lake_files == "s3://bucket/prefix/lake"
