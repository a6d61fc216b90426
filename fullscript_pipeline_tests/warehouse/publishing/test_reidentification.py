"""Copies for analysts cannot be undone: each test tries to find people in a copy of 1,000, as a reader of it would."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fullscript_pipeline.resources import ALL_TABLES
from fullscript_pipeline.settings import Settings, load_settings
from fullscript_pipeline.warehouse.attachment import detach_all
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.publishing.publish import Level
from fullscript_pipeline.warehouse.publishing.published_columns import DEIDENTIFIED, PSEUDONYMISED, SHIFTED
from fullscript_pipeline_tests.helpers.analyst_copies import (
    PEPPER,
    PIPELINE_KEY,
    PUBLISH_KEY,
    RARE,
    Copy,
    copy_of,
    fill_with_people,
    ids_by_dictionary,
    with_secrets,
)
from fullscript_pipeline_tests.helpers.warehouse_loads import rows

PEOPLE = 1000
LEVELS = {"peppered": PSEUDONYMISED, "shifted": SHIFTED, "deidentified": DEIDENTIFIED}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path_factory.mktemp("analysts") / "data"))
        patched.setenv("FULLSCRIPT_NOW", "2026-11-28T12:00:00Z")
        settings = with_secrets(load_settings())
        settings.prepare_data_dir()
        yield settings


@pytest.fixture(scope="module")
def world(empty_file: Path, settings: Settings) -> Warehouse:
    warehouse = Warehouse(Path(shutil.copy(empty_file, settings.data_dir / "w.duckdb")))
    fill_with_people(warehouse, PEOPLE)
    detach_all()
    return warehouse


@pytest.fixture(scope="module")
def copies(settings: Settings, world: Warehouse) -> dict[str, Copy]:
    place = settings.data_dir / "copies"
    peppered = with_secrets(settings, PEPPER)
    year = {"with_current_year": True}
    return {
        "pseudonymised": copy_of(settings, world, place / "p", Level.PSEUDONYMISED),
        "peppered": copy_of(peppered, world, place / "q", Level.PSEUDONYMISED),
        "shifted": copy_of(peppered, world, place / "s", Level.PSEUDONYMISED, shift_dates=True),
        "deidentified": copy_of(settings, world, place / "d", Level.DEIDENTIFIED),
        "with this year": copy_of(settings, world, place / "e", Level.DEIDENTIFIED, **year),
    }


@pytest.mark.parametrize("name", ["pseudonymised", "peppered", "deidentified"])
def test_no_id_is_found_by_trying_all_with_the_keys_a_reader_may_have(copies: dict[str, Copy], name: str) -> None:
    ids = {one for (one,) in copies[name].rows("SELECT patient_id FROM core.patients")}
    assert len(ids) > PEOPLE / 2
    tried = {one[:20] for one in ids_by_dictionary(PEOPLE, (PUBLISH_KEY, PIPELINE_KEY, ""))}
    assert ids & tried == set()
    assert len({f"pat-{n:06d}" for n in range(PEOPLE)} & copies[name].every_value()) == 0


def test_the_dictionary_would_find_everybody_with_the_pepper(copies: dict[str, Copy]) -> None:
    """Else the test above would try what nobody makes."""
    ids = {one for (one,) in copies["peppered"].rows("SELECT patient_id FROM core.patients")}
    assert len(ids & {one[:20] for one in ids_by_dictionary(PEOPLE, (PEPPER,))}) == PEOPLE


def test_the_place_of_a_row_reveals_nothing(copies: dict[str, Copy]) -> None:
    """Rows lie in the order of their ids, which are random: no order of the warehouse is left."""
    for name, copy in copies.items():
        there = copy.columns()
        for table, columns in LEVELS.get(name, {}).items():
            if table in there and (ids := {"patient_id", "order_id", "treatment_plan_id"}.intersection(columns)):
                key = f"(clinic_id, {next(one for one in columns if one in ids)})"
                sql = f"SELECT {key} AS here, lag({key}) OVER (ORDER BY rowid) AS before FROM {table}"
                assert copy.rows(f"SELECT count(*) FROM ({sql}) WHERE here < before") == [(0,)], table


def test_two_copies_have_no_id_in_common_unless_a_pepper_is_kept(copies: dict[str, Copy]) -> None:
    sql = "SELECT patient_id FROM core.patients UNION SELECT clinic_id FROM core.clinics"
    ids = {name: {one for (one,) in copy.rows(sql)} for name, copy in copies.items()}
    assert ids["deidentified"].isdisjoint(ids["with this year"])
    patients = {name: {one for one in found if not one.startswith("clinic-")} for name, found in ids.items()}
    assert patients["pseudonymised"].isdisjoint(patients["peppered"])
    assert patients["peppered"] == patients["shifted"]


def test_one_known_purchase_finds_nobody_in_a_deidentified_copy(world: Warehouse, copies: dict[str, Copy]) -> None:
    """408 of 408 were found by the product and the day of one purchase."""
    known = rows(
        world,
        """SELECT DISTINCT v.product_id, year(completed_on) FROM core.orders JOIN core.order_line_items l
        USING (clinic_id, order_id) JOIN core.variants v USING (variant_id)""",
    )
    for name in ("deidentified", "with this year"):
        held = copies[name].rows("SELECT product_id, year, patient_id FROM core.purchases")
        buyers: dict[tuple[str, int], set[str]] = {}
        for product, year, patient in held:
            buyers.setdefault((product, year), set()).add(patient)
        assert len(buyers) > 20, "there is something to find"
        assert {len(found) for one in known if (found := buyers.get(one, set()))} & {1, 2, 3, 4} == set()


def test_a_birth_date_finds_nobody_even_among_those_who_bought(copies: dict[str, Copy]) -> None:
    for table in ("patients", "purchases", "recommendations"):
        groups = copies["deidentified"].rows(
            f"""SELECT birth_years, count(*) FROM core.patients
            WHERE (clinic_id, patient_id) IN (SELECT (clinic_id, patient_id) FROM core.{table})
            GROUP BY clinic_id, birth_years, gender"""
        )
        assert min(number for _, number in groups) >= 5, table
        labels = {label for label, _ in groups}
        assert not any(label[:4].isdigit() and int(label[:4]) < 1936 for label in labels), "over 89 is one class"


def test_a_rare_product_is_nowhere_in_a_deidentified_copy(copies: dict[str, Copy]) -> None:
    assert set(RARE) <= copies["pseudonymised"].every_value(), "the test must be able to find it"
    for name in ("deidentified", "with this year"):
        assert copies[name].every_value() & {*RARE, "SKU-1", "variant-1"} == set()


def test_who_buys_most_does_not_stand_out(copies: dict[str, Copy]) -> None:
    sql = "SELECT n, count(*) FROM (SELECT count(*) AS n FROM core.purchases GROUP BY patient_id) GROUP BY n ORDER BY n"
    numbers = dict(copies["deidentified"].rows(sql))
    assert numbers[max(numbers)] >= 5


def test_who_knows_several_things_at_once_finds_as_many_as_reported(copies: dict[str, Copy]) -> None:
    """Not promised, and said: how many stand alone by clinic, birth years, gender and one row."""
    alone = copies["deidentified"].rows(
        """SELECT DISTINCT any_value(patient_id) FROM (
            SELECT 1 AS source, * FROM core.purchases UNION ALL SELECT 2, * FROM core.recommendations
        ) JOIN core.patients USING (clinic_id, patient_id)
        GROUP BY source, product_id, year, clinic_id, birth_years, gender HAVING count(DISTINCT patient_id) = 1"""
    )
    assert [(len(alone),)] == copies["deidentified"].rows("SELECT patients_standing_alone FROM copy_info")
    assert len(alone) > 100


def test_the_difference_of_two_copies_of_a_year_reveals_no_newcomer(
    settings: Settings, world: Warehouse, copies: dict[str, Copy], tmp_path: Path
) -> None:
    """A newcomer, and purchases of this year, are in a copy only when the year is over."""
    after = Warehouse(Path(shutil.copy(world.path, tmp_path / "after.duckdb")))
    with after.write() as con:
        con.execute(
            """INSERT INTO core.patients (clinic_id, patient_id, gender, date_of_birth)
            VALUES ('clinic-1', 'new', 'female', '1980-01-01')"""
        )
        con.execute(
            """INSERT INTO core.orders (clinic_id, order_id, patient_id, completed_on)
            VALUES ('clinic-1', 'o-new', 'new', '2026-11-20'), ('clinic-1', 'o-old', 'pat-000005', '2026-11-21')"""
        )
        con.execute(
            """INSERT INTO core.order_line_items (clinic_id, order_id, position, variant_id)
            VALUES ('clinic-1', 'o-new', 0, 'variant-0'), ('clinic-1', 'o-old', 0, 'variant-0')"""
        )
    later = {
        name: copy_of(settings, after, tmp_path / "copies" / name, Level.DEIDENTIFIED, with_current_year=bool(current))
        for current, name in enumerate(("deidentified", "with this year"))
    }
    told = {name: (_people_in(copies[name]), _people_in(copy)) for name, copy in later.items()}
    assert told["deidentified"][0] == told["deidentified"][1]
    assert told["with this year"][0] != told["with this year"][1], (
        "the difference shows them: what is left out, and why"
    )


def _people_in(copy: Copy) -> list[str]:
    """Everything that is told of each of them, but ids."""
    return sorted(
        str(told)
        for told in copy.rows(
            """SELECT birth_years, gender, (SELECT list_sort(list((product_id, year, repeated))) FROM core.purchases f
                WHERE f.patient_id = p.patient_id), (SELECT list_sort(list((product_id, year, repeated)))
                FROM core.recommendations f WHERE f.patient_id = p.patient_id) FROM core.patients p"""
        )
    )


def test_a_shifted_copy_holds_no_true_date_of_anybody_and_keeps_intervals(copies: dict[str, Copy]) -> None:
    true = dict(copies["peppered"].rows("SELECT order_id, completed_on FROM core.orders"))
    shifted = copies["shifted"].rows("SELECT patient_id, order_id, completed_on FROM core.orders")
    offsets: dict[str, set[int]] = {}
    for patient, order, day in shifted:
        offsets.setdefault(patient, set()).add((true[order] - day).days)
    assert len(offsets) == PEOPLE
    assert all(len(one) == 1 and 1 <= min(one) <= 365 for one in offsets.values())
    assert len({min(one) for one in offsets.values()}) > 300
    kinds = {(column, kind) for columns in copies["shifted"].columns().values() for column, kind in columns.items()}
    dates = {column for column, kind in kinds if "DATE" in kind or "TIME" in kind}
    assert dates == {"available_at", "created_on", "completed_on"}, "a date that is not shifted gives the shift away"


def test_a_deidentified_copy_has_no_date_but_years(copies: dict[str, Copy]) -> None:
    kinds = {kind for columns in copies["deidentified"].columns().values() for kind in columns.values()}
    assert kinds == {"VARCHAR", "INTEGER", "BOOLEAN"}


def test_a_copy_says_what_it_is(copies: dict[str, Copy]) -> None:
    sql = "SELECT level, dates, k, through_year, k_reached >= k, patients > 500 FROM copy_info"
    assert copies["pseudonymised"].rows(sql) == [("pseudonymised", "kept", None, None, None, None)]
    assert copies["shifted"].rows(sql) == [("pseudonymised", "shifted", None, None, None, None)]
    assert copies["deidentified"].rows(sql) == [("deidentified", "years", 5, 2025, True, True)]
    assert copies["with this year"].rows(sql) == [("deidentified", "years", 5, 2026, True, True)]
    for copy in copies.values():
        assert not {PEPPER, PUBLISH_KEY, PIPELINE_KEY, "Canarylast", "CanaryText"} & copy.every_value()


def test_a_copy_holds_the_listed_columns_and_no_other(
    settings: Settings, world: Warehouse, copies: dict[str, Copy], tmp_path: Path
) -> None:
    """A column that somebody adds to a table does not appear in a copy by itself."""
    after = Warehouse(Path(shutil.copy(world.path, tmp_path / "after.duckdb")))
    with after.maintain() as con:
        for one in ALL_TABLES:
            con.execute(f"ALTER TABLE {one.stored_in} ADD COLUMN added_later VARCHAR DEFAULT 'CanaryText'")
            if one.history:
                con.execute(f"CREATE OR REPLACE VIEW core.{one.name} AS SELECT * FROM {one.stored_in}")
    for name, listed in LEVELS.items():
        level = Level.DEIDENTIFIED if name == "deidentified" else Level.PSEUDONYMISED
        changed = with_secrets(settings, PEPPER)
        copy = copy_of(changed, after, tmp_path / "copies" / name, level, shift_dates=name == "shifted")
        assert copy.columns() == copies[name].columns()
        for table, columns in copy.columns().items():
            expected = ["birth_year" if one == "date_of_birth" else one for one in listed[table]]
            assert sorted(columns) == sorted(expected)
        assert "CanaryText" not in copy.every_value()
