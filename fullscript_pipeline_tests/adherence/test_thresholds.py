"""The thresholds as settings: their defaults are the method's, each is read, all reach mart and page."""

import os
from dataclasses import asdict, fields
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.reports import ReportPolicy
from fullscript_pipeline.reports.language import ENGLISH
from fullscript_pipeline.settings import AdherencePolicy, load_settings
from fullscript_pipeline_tests.helpers.adherence_clinic import Clinic, line

VARIABLES = {
    "FULLSCRIPT_ADHERENCE_THRESHOLD_PERCENT": ("threshold", "75", Fraction(3, 4)),
    "FULLSCRIPT_PERMISSIBLE_GAP_DAYS": ("permissible_gap_days", "61", 61),
    "FULLSCRIPT_NEVER_ORDERED_DAYS": ("never_ordered_days", "62", 62),
    "FULLSCRIPT_DELIVERY_LAG_DAYS": ("delivery_lag_days", "3", 3),
    "FULLSCRIPT_MINIMUM_WINDOW_DAYS": ("minimum_window_days", "63", 63),
    "FULLSCRIPT_DUE_SOON_DAYS": ("due_soon_days", "11", 11),
    "FULLSCRIPT_LATE_DAYS": ("late_days", "12", 12),
    "FULLSCRIPT_LONG_GAP_DAYS": ("long_gap_days", "64", 64),
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_every_threshold_is_a_setting_and_stands_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().adherence == AdherencePolicy()
    for variable, (_, text, _) in VARIABLES.items():
        monkeypatch.setenv(variable, text)
    found = load_settings().adherence
    # The only one that is no threshold: a row that it concerns says so itself.
    assert asdict(found) == {name: value for name, _, value in VARIABLES.values()} | {"assume_pack_unit": True}
    assert {one.name for one in fields(AdherencePolicy)} == set(asdict(found))
    sentence = ReportPolicy.of(found).sentence(ENGLISH)
    assert all(f" {text} " in sentence for _, text, _ in VARIABLES.values()), sentence


@pytest.mark.parametrize("variable", sorted(VARIABLES))
@pytest.mark.parametrize("text", ["-1", "abc", "80 %", "1e3", "999999"])
def test_a_threshold_that_is_none_is_a_sentence(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigurationError, match=variable):
        load_settings()


def test_a_dose_without_a_unit_is_not_measured_where_nothing_may_be_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_ASSUME_PACK_UNIT", "off")
    clinic = Clinic()
    clinic.plan([line(dosage={"format": None})])
    assert clinic.row(date(2026, 11, 22), policy=load_settings().adherence)["measurable"] == "unit_mismatch"
    assert clinic.row(date(2026, 11, 22))["measurable"] == "ok"


def test_late_beyond_a_long_gap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_LATE_DAYS", "31")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_LONG_GAP_DAYS"):
        load_settings()


def test_the_mart_is_made_with_them() -> None:
    clinic = Clinic()
    clinic.plan([line()], on=date(2026, 1, 1))
    as_of = date(2026, 1, 31)
    assert clinic.row(as_of)["status"] == "never_ordered"
    assert clinic.row(as_of, AdherencePolicy(never_ordered_days=32))["status"] == "awaiting_first_order"
    assert clinic.row(as_of, AdherencePolicy(minimum_window_days=32))["flags"] == ["short_window"]
