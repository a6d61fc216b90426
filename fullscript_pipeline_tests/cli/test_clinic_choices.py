"""`clinics set`, and what `clinics` shows of it."""

import json
from pathlib import Path

import pytest

from fullscript_pipeline.state import StateStore, purge_clinic
from fullscript_pipeline_tests.helpers.command_runs import Run

ZONE = {"FULLSCRIPT_TIME_ZONE": "America/Denver"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a clinic that has no address, and one that has."""
    folder = tmp_path / "data"
    with StateStore(folder / "state.sqlite") as store:
        store.clinics.register("us-snd", "c-1", "us", "Maple")
        oak = store.clinics.register("ca-snd", "c-2", "ca", "Oak")
        store.choices.store_address_zone(oak, {"address": {"province": "Manitoba"}})
    return folder


def _listed(run: Run, data: Path) -> dict[str, tuple[str, str, str]]:
    rows = [json.loads(line) for line in run("clinics", "--json", data=data, **ZONE).stdout.splitlines()]
    return {row["clinic_key"]: (row["language"], row["time_zone"], row["time_zone_source"]) for row in rows}


def test_a_clinic_has_its_own_language_and_zone_until_it_is_purged(run: Run, data: Path) -> None:
    oak = ("en", "America/Winnipeg", "address")
    assert _listed(run, data) == {"maple": ("en", "America/Denver", "setting"), "oak": oak}
    done = run("clinics", "set", "maple", "--language", "fr", data=data, **ZONE)
    assert (done.returncode, done.stdout) == (0, "")
    assert "maple: language fr, time zone America/Denver." in done.stderr
    assert run("clinics", "set", "c-1", "--time-zone", "America/Toronto", data=data, **ZONE).returncode == 0
    assert _listed(run, data) == {"maple": ("fr", "America/Toronto", "clinic"), "oak": oak}
    header, _, maple, *_ = run("clinics", data=data, **ZONE).stdout.splitlines()
    assert "language" in header
    assert maple.split()[-2:] == ["fr", "America/Toronto"]
    with StateStore(data / "state.sqlite") as store:
        purge_clinic(store.db, store.keyring, store.clinics.find("maple"))
        store.clinics.register("us-snd", "c-1", "us", "Maple")
    assert _listed(run, data)["maple"] == ("en", "America/Denver", "setting")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("maple",), ("--language", "--time-zone")),
        (("maple", "--language", "de"), ("'de'", "'en'", "'fr'")),
        (("maple", "--time-zone", "America/Torronto"), ("'America/Torronto'", "America/Toronto")),
        (("maple", "--time-zone", "moon"), ("'moon'", "IANA", "America/Toronto")),
        (("elm", "--language", "fr"), ("'elm'", "maple", "oak")),
    ],
)
def test_what_cannot_be_set_is_a_usage_error_that_names_what_can(
    run: Run, data: Path, words: tuple[str, ...], named: tuple[str, ...]
) -> None:
    refused = run("clinics", "set", *words, data=data, **ZONE)
    assert refused.returncode == 2
    assert not [word for word in named if word not in refused.stderr], refused.stderr
    assert _listed(run, data)["maple"] == ("en", "America/Denver", "setting")
