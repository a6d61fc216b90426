"""What is done to landing files reaches those in the bucket: another key, removal after their time."""

from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline.errors import Busy, ConfigurationError
from fullscript_pipeline.maintenance.key_rotation import plan_rotation, rotate_keys
from fullscript_pipeline.maintenance.landed_files import landed_folders, landed_owners
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.warehouse.files.frame_file import FrameFile, LandingDamage
from fullscript_pipeline.warehouse.files.landing_retention import Tidied, tidy_shared_landing
from fullscript_pipeline.warehouse.files.shared_landing import SharedLanding, open_shared_landing
from fullscript_pipeline.warehouse.landing import Request, make_line
from fullscript_pipeline.warehouse.personal_data.person_rows import landed_records
from fullscript_pipeline_tests.helpers.postgres_server import PostgresServer
from fullscript_pipeline_tests.helpers.s3_server import Bucket
from fullscript_pipeline_tests.helpers.sealed_directory import NEW, OLD

pytestmark = pytest.mark.check_all
MAPLE, CEDAR, US = "us-snd/maple", "us-snd/cedar", "us-snd/us"


@pytest.fixture
def settings(tmp_path: Path, postgres: PostgresServer, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", postgres.url_of(str(tmp_path)))
    monkeypatch.setenv("FULLSCRIPT_FILES_URL", bucket.url)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", OLD)
    settings = load_settings()
    settings.prepare_data_dir()
    StateStore.open(settings).close()
    return settings


def landing_of(settings: Settings) -> SharedLanding:
    landing = open_shared_landing(settings)
    assert landing is not None
    return landing


def land(settings: Settings, place: str, name: str = "orders.1-a", *, is_finished: bool = True) -> None:
    file = landing_of(settings).open(f"{place}/{name}", settings.warehouse_key, lambda: None)
    file.append(Request(endpoint="orders", key="k", records=1), [make_line({"id": "o1"})])
    if is_finished:
        file.finish()


def test_another_key_reaches_them(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    land(settings, f"{MAPLE}/2026-11-22")
    land(settings, f"{US}/2026-11-22", "products.2-b", is_finished=False)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", f"{NEW},{OLD}")
    rotate_keys(load_settings(), lambda _: None)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", NEW)
    assert landed_owners(settings) == [MAPLE, US]
    with closing(StateStore.open(load_settings())) as store:
        read = []
        for owner in landed_owners(settings):
            with landed_folders(load_settings(), store, owner) as (_, copy):
                read += [line.id for path in copy.rglob("*.*") for line in FrameFile(path, NEW).lines()]
    assert read == ["o1", "o1"]
    names = landing_of(settings).files.names_below("")
    assert [name.rpartition(".")[2] for name in names] == ["frames", "abandoned"], "an unfinished pull begins anew"


def test_nothing_is_done_while_another_machine_fills_one(settings: Settings) -> None:
    land(settings, f"{MAPLE}/2026-11-22", is_finished=False)
    with (
        closing(StateStore.open(settings)) as store,
        store.db.named_lock(f"landing {MAPLE}/2026-11-22/orders.1-a", 1),
        pytest.raises(Busy, match=r"A run is filling s3://.*orders\.1-a; let it finish"),
        landed_folders(settings, store, MAPLE),
    ):
        pass


def test_a_rotation_changes_nothing_while_another_machine_fills_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(settings, f"{MAPLE}/2026-11-22")
    land(settings, f"{US}/2026-11-22", is_finished=False)
    monkeypatch.setenv("FULLSCRIPT_ENCRYPTION_KEY", f"{NEW},{OLD}")
    plan = plan_rotation(load_settings())
    assert plan.landing_files == 2
    assert 0 < plan.shared.largest_copy < plan.needed_bytes
    with closing(StateStore.open(settings)) as store:
        with store.db.named_lock(f"landing {US}/2026-11-22/orders.1-a", 1), pytest.raises(Busy, match="is filling"):
            rotate_keys(load_settings(), lambda _: None)
        store.landing_claims.require_key(OLD)
        with pytest.raises(ConfigurationError, match="set FULLSCRIPT_ENCRYPTION_KEY to the new key alone"):
            store.landing_claims.require_key(NEW)
        rotate_keys(load_settings(), lambda _: None)
        store.landing_claims.require_key(NEW)
        with pytest.raises(ConfigurationError, match="would land pages under another one"):
            store.landing_claims.require_key(OLD)


def test_damage_names_the_object_and_not_the_copy(settings: Settings, bucket: Bucket) -> None:
    land(settings, f"{MAPLE}/2026-11-22")
    (path,) = bucket.folder.rglob("*.frames")
    whole = path.read_bytes()
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    with (
        closing(StateStore.open(settings)) as store,
        pytest.raises(LandingDamage, match=rf"{bucket.url}/landing/{MAPLE}/2026-11-22/orders\.1-a\.frames"),
        landed_folders(settings, store, MAPLE) as (_, copy),
    ):
        landed_records(copy, OLD, frozenset({"o1"}))


def test_pages_in_a_bucket_that_is_not_used_any_more_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(settings, f"{MAPLE}/2026-11-22")
    monkeypatch.delenv("FULLSCRIPT_STATE_URL")
    alone = load_settings()
    with StateStore.open(alone) as store:
        with pytest.raises(ConfigurationError, match="while the state store was on PostgreSQL are still in s3://"):
            landed_folders(alone, store, MAPLE).__enter__()
        with landed_folders(alone, store, CEDAR) as folders:
            assert folders == [alone.landing_dir / CEDAR]


def test_what_is_not_changed_stays_as_it_is(settings: Settings) -> None:
    land(settings, f"{MAPLE}/2026-11-22", is_finished=False)
    before = landing_of(settings).files.names_below("")
    with closing(StateStore.open(settings)) as store, landed_folders(settings, store, MAPLE) as (local, copy):
        assert not local.exists()
        (path,) = copy.rglob("*.abandoned")
        assert len(FrameFile(path, OLD).requests()) == 1
    assert landing_of(settings).files.names_below("") == before
    assert not path.exists()


def test_old_days_are_removed_but_not_those_of_quarantined_records(settings: Settings) -> None:
    for owner in (MAPLE, CEDAR, US):
        for day in ("2026-08-01", "2026-08-02", "2026-11-22"):
            land(settings, f"{owner}/{day}")
    first, kept = date(2026, 9, 1), {("cedar", "2026-08-02")}
    landing = landing_of(settings)
    before = landing.files.names_below("")
    would = tidy_shared_landing(landing, first, kept=kept, only_look=True)
    assert would.files == 5 and would.bytes > 0 and landing.files.names_below("") == before
    assert tidy_shared_landing(landing, first, owners=[MAPLE, US], kept=kept).files == 4
    assert tidy_shared_landing(landing, first, kept=kept).files == 1
    assert tidy_shared_landing(landing, first, kept=kept) == Tidied()
    left = {tuple(name.split("/")[1:3]) for name in landing.files.names_below("")}
    assert left == {(owner, "2026-11-22") for owner in ("maple", "cedar", "us")} | {("cedar", "2026-08-02")}
