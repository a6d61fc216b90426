"""Promise 41 in full: the attacks on copies for analysts, person by person, over several k."""

import time
from pathlib import Path
from typing import Any

import pytest

from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.publishing.publish import Level
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.analyst_copies import (
    PIPELINE_KEY,
    PUBLISH_KEY,
    Copy,
    copy_of,
    fill_with_people,
    ids_by_dictionary,
    with_secrets,
)

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
PEOPLE = 1000
# What somebody knows of each person: product and year of a purchase, or of a recommendation; a date of birth.
_KNOWN = """SELECT DISTINCT patient_id, product_id, year(completed_on), 'purchases' FROM core.orders
    JOIN core.order_line_items USING (clinic_id, order_id) JOIN core.variants USING (variant_id)
    UNION SELECT DISTINCT patient_id, product_id, year(available_at), 'recommendations' FROM core.treatment_plans
    JOIN core.recommendations USING (clinic_id, treatment_plan_id) JOIN core.variants USING (variant_id)"""


@pytest.mark.parametrize("k", [2, 5, 20])
def test_nobody_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, k: int) -> None:
    started = time.monotonic()
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FULLSCRIPT_NOW", "2026-11-28T12:00:00Z")
    settings = with_secrets(load_settings())
    settings.prepare_data_dir()
    world = Warehouse(tmp_path / "w.duckdb")
    migrate(world, [])
    fill_with_people(world, PEOPLE)
    copies = [copy_of(settings, world, tmp_path / "copies" / "p", Level.PSEUDONYMISED)]
    for current in (False, True):
        options = {"k": k, "with_current_year": current}
        copies.append(copy_of(settings, world, tmp_path / "copies" / f"d{current}", Level.DEIDENTIFIED, **options))
    tried = {one[:20] for one in ids_by_dictionary(PEOPLE, (PUBLISH_KEY, PIPELINE_KEY, ""))}
    undone = [len(tried & {one for (one,) in copy.rows("SELECT patient_id FROM core.patients")}) for copy in copies]
    with world.read() as con:
        known = con.execute(_KNOWN).fetchall()
    found = {who for copy in copies[1:] for who in _found_by_purchase(copy, known, k) | _found_by_birth(copy, k)}
    reached = min(number for copy in copies[1:] for (number,) in copy.rows("SELECT k_reached FROM copy_info"))
    rows = sum(number for copy in copies[1:] for (number,) in copy.rows("SELECT facts FROM copy_info"))
    report_promise(
        "promise 41", people=PEOPLE, known=len(known), undone=sum(undone), found=len(found), k=k, reached=reached,
        rows=rows, seconds=time.monotonic() - started,
    )  # fmt: skip
    assert (sum(undone), found) == (0, set())
    assert reached >= k and rows > 0


def _found_by_purchase(copy: Copy, known: list[tuple[Any, ...]], k: int) -> set[str]:
    """Of whom something is known that fewer than k have in the copy."""
    have: dict[tuple[Any, ...], set[str]] = {}
    for source in ("purchases", "recommendations"):
        for product, year, patient in copy.rows(f"SELECT product_id, year, patient_id FROM core.{source}"):
            have.setdefault((product, year, source), set()).add(patient)
    return {who for who, *fact in known if 0 < len(have.get(tuple(fact), ())) < k}


def _found_by_birth(copy: Copy, k: int) -> set[str]:
    """Who is among fewer than k of their clinic, birth years and gender: of all, of those who bought, ..."""
    found = set()
    for table in ("patients", "purchases", "recommendations"):
        groups = copy.rows(
            f"""SELECT list(patient_id) FROM core.patients
            WHERE (clinic_id, patient_id) IN (SELECT (clinic_id, patient_id) FROM core.{table})
            GROUP BY clinic_id, birth_years, gender"""
        )
        found |= {who for (members,) in groups if len(members) < k for who in members}
    return found
