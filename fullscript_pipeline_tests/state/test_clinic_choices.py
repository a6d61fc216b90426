"""A clinic's language, time zone and contact data on pages: which of choice, address and setting counts."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fullscript_pipeline.api import ClinicRef
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.state import (
    StateStore,
    clinic_language,
    clinic_time_zone,
    pages_show_contact,
    purge_clinic,
    zone_with_source,
)
from fullscript_pipeline.state.address_time_zones import zone_of_clinic_record, zones_by_state
from fullscript_pipeline.state.schema import MIGRATIONS

MAPLE, OAK = (
    ClinicRef(server="us-snd", clinic_id="c-1", clinic_key="maple", region="us"),
    ClinicRef(server="us-snd", clinic_id="c-2", clinic_key="oak", region="us"),
)
TORONTO, WINNIPEG = ZoneInfo("America/Toronto"), ZoneInfo("America/Winnipeg")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore(tmp_path / "state.sqlite") as opened:
        yield opened


def _settings(**texts: str) -> Settings:
    return load_settings(**texts)


def test_a_choice_counts_before_the_address_and_that_before_the_setting(store: StateStore) -> None:
    settings = _settings(language="fr", time_zone="America/Denver")
    assert clinic_language(settings, store.choices, MAPLE) == "fr"
    assert zone_with_source(settings, store.choices.get(MAPLE)) == (ZoneInfo("America/Denver"), "setting")
    store.choices.store_address_zone(MAPLE, {"address": {"state": "MB"}})
    assert zone_with_source(settings, store.choices.get(MAPLE)) == (WINNIPEG, "address")
    store.choices.set(MAPLE, language="en")
    assert clinic_time_zone(settings, store.choices, MAPLE) == WINNIPEG
    store.choices.set(MAPLE, time_zone=TORONTO)
    store.choices.store_address_zone(MAPLE, {"address": {"state": "BC"}})
    assert zone_with_source(settings, store.choices.get(MAPLE)) == (TORONTO, "clinic")
    assert (clinic_language(settings, store.choices, MAPLE), clinic_language(settings, store.choices, OAK)) == (
        "en",
        "fr",
    )


def test_a_choice_survives_disconnect_and_connect_and_goes_with_purge(store: StateStore) -> None:
    clinic = store.clinics.register("us-snd", "c-1", "us", "Maple")
    store.choices.set(clinic, language="fr", time_zone=TORONTO)
    store.clinics.remove(clinic)
    store.clinics.register("us-snd", "c-1", "us", "Maple Street")
    chosen = store.choices.get(clinic)
    assert (chosen.language, chosen.time_zone) == ("fr", TORONTO)
    store.choices.set(OAK, language="fr")
    purge_clinic(store.db, store.keyring, clinic)
    assert store.choices.get(clinic).language is None
    assert store.choices.get(OAK).language == "fr"


@pytest.mark.sqlite_file
def test_contact_data_is_shown_unless_an_earlier_version_made_the_directory(tmp_path: Path) -> None:
    unset, on, off = _settings(), _settings(pages_contact="on"), _settings(pages_contact="off")
    older = tmp_path / "older" / "state.sqlite"
    older.parent.mkdir()
    with sqlite3.connect(older) as connection:
        for statement in (statement for migration in MIGRATIONS[:10] for statement in migration):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 10")
    connection.close()
    lost = tmp_path / "lost" / "state.sqlite"
    lost.parent.mkdir()
    (lost.parent / "fullscript.duckdb").touch()
    for path, default in ((tmp_path / "new" / "state.sqlite", True), (older, False), (lost, False)):
        for _ in range(2):  # as made, and as opened later
            with StateStore(path) as store:
                shown = [pages_show_contact(settings, store.facts) for settings in (unset, on, off)]
                assert shown == [default, True, False]


@pytest.mark.parametrize(
    ("record", "zone"),
    [
        ({"address": {"state": "NY", "country": "US"}}, "America/New_York"),
        ({"address": {"province": "Québec", "country": "Canada"}}, "America/Toronto"),
        ({"addresses": [{"city": "?"}, {"state_code": "CA-BC"}]}, "America/Vancouver"),
        ({"state_name": "district of columbia"}, "America/New_York"),
        ({"clinic_address": {"state": "Tenn.", "region": "TN"}}, None),
        ({"address": {"region": "tn"}}, "America/Chicago"),
        ({"address": {"state": "WA", "country": "AU"}}, None),
        ({"address": {"country": "US"}}, None),
        ({"address": "12 Main Street, Boston", "state": 7}, None),
        ({"state": "active"}, None),
        ({}, None),
    ],
)
def test_an_address_names_the_main_zone_of_its_state(record: dict[str, Any], zone: str | None) -> None:
    found = zone_of_clinic_record(record)
    assert (found and found.key) == zone


def test_every_state_has_a_zone_that_exists() -> None:
    assert len(zones_by_state()) == 2 * (51 + 5 + 13)
    for zone in zones_by_state().values():
        ZoneInfo(zone)
