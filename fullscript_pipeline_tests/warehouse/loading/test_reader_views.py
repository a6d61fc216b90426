"""What a listing may prove: only the absence of what its own view, or one that it includes, has seen."""

import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.resources.brands import BRANDS
from fullscript_pipeline.resources.patients import PATIENTS
from fullscript_pipeline.resources.protocols import PRACTITIONER_PROTOCOLS
from fullscript_pipeline.resources.treatment_plans import TREATMENT_PLANS
from fullscript_pipeline.resources.types import Table
from fullscript_pipeline.warehouse.connection import Warehouse
from fullscript_pipeline.warehouse.loading import pull_log
from fullscript_pipeline.warehouse.loading.load import load
from fullscript_pipeline.warehouse.loading.load_context import Counts, View
from fullscript_pipeline.warehouse.loading.narrower_views import narrowings
from fullscript_pipeline.warehouse.loading.reader_views import common_view
from fullscript_pipeline.warehouse.loading.removal_scope import EVERYTHING
from fullscript_pipeline.warehouse.upgrades.migrations import migrate
from fullscript_pipeline_tests.helpers.released_warehouses import RELEASED, left_by
from fullscript_pipeline_tests.helpers.warehouse_loads import context, lines_of, put, rows

READ = frozenset({"patients:read"})
FULL = View(clinic_id="c1", user_id="anna", scopes=READ | {"patients:treatment_plan_history"})
NARROW = View(clinic_id="c1", user_id="anna", scopes=READ, lacks=frozenset({"patients:treatment_plan_history"}))
OTHER = View(clinic_id="c1", user_id="bert", scopes=FULL.scopes)
NAMELESS = View(clinic_id="c1", user_id=None)
_hours = itertools.count()


def plans(*ids: str) -> list[dict[str, object]]:
    return [{"id": one, "state": "active", "patient": {"id": "a1"}, "recommendations": []} for one in ids]


def see(warehouse: Warehouse, view: View | None, *ids: str, table: Table = TREATMENT_PLANS) -> Counts:
    """A complete listing by this view, a day after the one before."""
    records = plans(*ids) if table is TREATMENT_PLANS else [{"id": one, "name": one} for one in ids]
    with warehouse.write() as con:
        when = replace(context(24 * next(_hours)), view=view)
        return load(con, table, lines_of(records), when, missing_among=EVERYTHING)


def there(warehouse: Warehouse, table: str = "treatment_plans") -> str:
    key = table.removesuffix("s") + "_id"
    return "".join(
        one for (one,) in rows(warehouse, f"SELECT {key} FROM core.{table} WHERE removed_at IS NULL ORDER BY 1")
    )


def sightings(warehouse: Warehouse) -> int:
    return int(rows(warehouse, "SELECT count(*) FROM ops.view_sightings")[0][0])


def test_one_view_removes_and_stores_nothing_per_row(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abc")
    assert see(warehouse, FULL, *"ab").removed == 1
    assert (there(warehouse), sightings(warehouse)) == ("ab", 0)


@pytest.mark.parametrize(
    "second", [NARROW, OTHER, View(clinic_id="c1", user_id="anna", scopes=frozenset({"x"})), NAMELESS]
)
def test_another_view_removes_nothing_however_often_it_lists(warehouse: Warehouse, second: View) -> None:
    see(warehouse, FULL, *"abcd")
    counts = [see(warehouse, second, "a") for _ in range(5)]
    assert [(one.removed, one.held, one.unproven) for one in counts] == [(0, 0, 3)] * 5
    assert there(warehouse) == "abcd"


def test_a_narrower_view_removes_what_it_saw_itself(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abcd")
    see(warehouse, NARROW, *"ab")
    assert see(warehouse, NARROW, "a").removed == 1
    assert there(warehouse) == "acd"


def test_the_wider_view_returns_and_proves_everything(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abcd")
    see(warehouse, NARROW, *"ae")
    assert see(warehouse, FULL, *"abc").removed == 2
    assert there(warehouse) == "abc"


def test_two_users_in_turn_each_remove_what_they_have_seen(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abcd")
    for _ in range(5):
        see(warehouse, OTHER, *"cdx")
        assert there(warehouse) == "abcdx"
        see(warehouse, FULL, *"abcd")
        assert there(warehouse) == "abcdx"
    see(warehouse, OTHER, *"cd")
    assert there(warehouse) == "abcd"
    see(warehouse, FULL, *"bcd")
    assert there(warehouse) == "bcd"


def test_what_was_fetched_by_id_is_no_listing(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"ab")
    see(warehouse, NARROW, "a")
    with warehouse.write() as con:
        by_id = replace(context(24 * next(_hours)), view=NARROW)
        load(con, TREATMENT_PLANS, lines_of(plans("b", "z")), by_id, listed=())
    see(warehouse, NARROW, "a")
    assert there(warehouse) == "abz"
    with warehouse.write() as con:
        by_id = replace(context(24 * next(_hours)), view=NARROW)
        load(con, TREATMENT_PLANS, lines_of([]), by_id, gone=["z"], listed=())
    assert there(warehouse) == "ab"


def test_a_404_for_a_view_that_never_saw_the_object_is_no_proof(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"ab")
    see(warehouse, NARROW, "a")
    with warehouse.write() as con:
        when = replace(context(24 * next(_hours)), view=NARROW)
        assert load(con, TREATMENT_PLANS, lines_of([]), when, gone=["a", "b"], listed=()).removed == 1
    assert there(warehouse) == "b"


def test_a_held_removal_is_confirmed_by_a_view_that_saw_the_row_only(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abcdefghijkl")
    assert see(warehouse, FULL, *"abcdef").held == 6
    for _ in range(3):
        assert see(warehouse, NARROW, *"abcdef").removed == 0
    assert there(warehouse) == "abcdefghijkl"
    assert see(warehouse, FULL, *"abcdef").removed == 6


def test_many_at_once_is_counted_among_what_the_view_has_seen(warehouse: Warehouse) -> None:
    everybody = [f"p{number:03}" for number in range(100)]
    see(warehouse, FULL, *everybody, table=PATIENTS)
    see(warehouse, NARROW, *everybody[:12], table=PATIENTS)
    assert see(warehouse, NARROW, *everybody[:4], table=PATIENTS).held == 8


def test_a_file_of_before_takes_its_last_lister_for_its_view(warehouse: Warehouse) -> None:
    put(warehouse, PATIENTS, [{"id": one} for one in "abc"], missing_among=EVERYTHING)
    with warehouse.write() as con:
        con.execute(
            "INSERT INTO ops.pulls (clinic_id, region, resource, complete, outcome, listed_by, observed_at) "
            "VALUES ('c1', 'us', 'patients', true, 'loaded', 'anna', '2026-10-01')"
        )
    assert see(warehouse, OTHER, "a", table=PATIENTS).removed == 0
    assert see(warehouse, NARROW, "a", table=PATIENTS).removed == 0
    assert see(warehouse, FULL, "a", table=PATIENTS).removed == 2


def test_an_older_file_whose_server_names_neither_user_nor_scopes(warehouse: Warehouse) -> None:
    put(warehouse, PATIENTS, [{"id": one} for one in "abc"], missing_among=EVERYTHING)
    assert see(warehouse, NAMELESS, *"ab", table=PATIENTS).removed == 1


@pytest.mark.parametrize("version", RELEASED)
def test_a_released_file_keeps_what_a_narrower_view_does_not_list(version: int, tmp_path: Path) -> None:
    warehouse = Warehouse(left_by(version, tmp_path / "old.duckdb"))
    migrate(warehouse, [])
    live = "SELECT count(*) FROM core.treatment_plans WHERE clinic_id = 'c1' AND removed_at IS NULL"
    ((before,),) = rows(warehouse, live)
    assert before
    lister = rows(warehouse, "SELECT listed_by FROM ops.pulls WHERE clinic_id = 'c1' AND listed_by IS NOT NULL")
    user = lister[0][0] if lister else "anna"
    with warehouse.write() as con:
        for hour, view in enumerate([replace(NARROW, user_id=user), replace(FULL, user_id="somebody else")]):
            when = replace(context(24 * (900 + hour)), view=view)
            load(con, TREATMENT_PLANS, lines_of(plans("new")), when, missing_among=EVERYTHING)
        assert con.execute(live).fetchall() == [(before + 1,)]
        when = replace(context(24 * 902), view=replace(FULL, user_id=user))
        load(con, TREATMENT_PLANS, lines_of(plans("new")), when, missing_among=EVERYTHING)
        assert con.execute(live).fetchall() == [(1,)]


class Counting:
    """A connection that counts its statements."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self.con, self.statements = con, 0

    def execute(self, sql: str, values: object = None) -> object:
        self.statements += 1
        return self.con.execute(sql, values)

    def __getattr__(self, name: str) -> object:
        return getattr(self.con, name)


def test_a_day_with_one_view_costs_one_statement_a_load_and_no_row(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abc")
    statements = []
    for view in (None, FULL):
        with warehouse.write() as con:
            counting = Counting(con)
            when = replace(context(24 * next(_hours)), view=view)
            load(counting, TREATMENT_PLANS, lines_of(plans(*"abc")), when, missing_among=EVERYTHING)  # type: ignore[arg-type]
            statements.append(counting.statements)
    assert statements[1] - statements[0] == 1
    for name in ("ops.view_sightings", "ops.view_missing"):
        assert rows(warehouse, f"SELECT count(*) FROM {name}") == [(0,)]
    assert rows(warehouse, "SELECT count(*) FROM ops.views") == [(1,)]


def test_another_clinic_of_the_region_removes_none_of_its_rows(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abc", table=BRANDS)
    see(warehouse, replace(FULL, clinic_id="c2"), "a", table=BRANDS)
    assert there(warehouse, "brands") == "abc"
    see(warehouse, FULL, *"ab", table=BRANDS)
    assert there(warehouse, "brands") == "ab"


def test_rows_below_a_parent_have_sightings_of_their_own(warehouse: Warehouse) -> None:
    def listing(view: View, *keys: str) -> None:
        lines = [one for key in keys for one in lines_of([{"id": key[1], "name": "n"}], key[0])()]
        with warehouse.write() as con:
            when = replace(context(24 * next(_hours)), view=view)
            load(con, PRACTITIONER_PROTOCOLS, lambda: iter(lines), when, missing_among=EVERYTHING)

    listing(FULL, "ab", "cb", "cd")
    listing(OTHER, "ab", "cb")
    listing(OTHER, "cb")
    sql = "SELECT practitioner_id || protocol_id FROM core.practitioner_protocols WHERE removed_at IS NULL ORDER BY 1"
    assert rows(warehouse, sql) == [("cb",), ("cd",)]


def test_the_narrower_view_is_reported_until_the_wider_one_is_back(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abc")
    see(warehouse, NARROW, "a")
    with warehouse.read() as con:
        (only,) = narrowings(con, "c1")
    assert (only.table, only.lacks, only.is_different_user, only.rows) == (
        "treatment_plans", ("patients:treatment_plan_history",), False, 2,
    )  # fmt: skip
    see(warehouse, FULL, *"abc")
    with warehouse.read() as con:
        assert narrowings(con, "c1") == []


def test_a_user_who_sees_every_row_is_not_reported(warehouse: Warehouse) -> None:
    see(warehouse, FULL, *"abc")
    see(warehouse, OTHER, *"abc")
    see(warehouse, View(clinic_id="c1", user_id="anna", scopes=FULL.scopes | {"patients:write"}), *"abc")
    see(warehouse, FULL, *"abc")
    with warehouse.read() as con:
        assert narrowings(con, "c1") == []
        assert pull_log.last_complete(con, "c1", "treatment_plans", NARROW) is None


@pytest.fixture(scope="module")
def warehouse_of_each(empty_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """One file for all examples, emptied by each."""
    path = tmp_path_factory.mktemp("each") / "w.duckdb"
    shutil.copy(empty_file, path)
    return Warehouse(path, lock_wait=5)


SCOPES = st.sets(st.sampled_from(["r", "s"]))
VIEWS = st.builds(
    lambda user, scopes: View(clinic_id="c1", user_id=user, scopes=frozenset(scopes)),
    st.sampled_from(["u", "v", None]),
    SCOPES,
)
LISTINGS = st.lists(st.tuples(VIEWS, st.sets(st.sampled_from("abcd"), min_size=1)), min_size=1, max_size=6)


@pytest.mark.check_all
@settings(deadline=None, max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(LISTINGS)
def test_a_row_goes_just_when_a_view_that_listed_it_is_included(
    warehouse_of_each: Warehouse, listings: list[tuple[View, set[str]]]
) -> None:
    """Against the rule itself, with everything that was ever listed remembered."""
    seen: dict[str, list[View]] = {}
    stored: set[str] = set()
    with warehouse_of_each.write() as con:
        for name in ("ops.views", "ops.view_sightings", "ops.view_missing", "core.patients"):
            con.execute(f"DELETE FROM {name}")
        for view, ids in listings:
            gone = {row for row in stored - ids if any(view.includes(one) for one in seen[row])}
            stored = (stored | ids) - gone
            for row in ids:
                seen.setdefault(row, []).append(view)
            when = replace(context(24 * next(_hours)), view=view)
            records = lines_of([{"id": one} for one in sorted(ids)])
            load(con, PATIENTS, records, when, missing_among=EVERYTHING)
            there = con.execute("SELECT patient_id FROM core.patients WHERE removed_at IS NULL").fetchall()
            assert {row for (row,) in there} == stored


def test_what_several_views_share() -> None:
    assert common_view([FULL, NARROW]) == NARROW
    assert common_view([FULL, OTHER]) is None
    assert common_view([FULL, None]) is None
    assert common_view([]) is None
    assert common_view([FULL, replace(FULL, scopes=frozenset())]) is None
