"""Each way in which the vendor might answer, alone and all together, leaves the same tables.

The honest exceptions, and why:

* words that the vendor chose and we keep as they are (`extra`, `..._raw`, hashes of the record) are not compared;
* `unknown_words` changes an order's state, a plan's source and a clinic's margin type: those words are the difference;
* `refund_as_...` change which of `state`, `status`, `refunded_at` tells a refund; `is_refunded` must be the same;
* `other_ids` spells ids differently: compared without dashes, case and decoration;
* `event_ids_only`, `feed_times_left_out`, `event_times_left_out`: a feed that lists ids, or no times, does not say
  the type and time of events whose detail a pull does not read.
"""

from pathlib import Path

import pytest

from fullscript_pipeline.sandbox.behaviour_switches import RESPONSE_VARIANTS, parse_variant_names
from fullscript_pipeline_tests.drills import fault_drill
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline
from fullscript_pipeline_tests.helpers.table_hash import Hashes, differing_tables, table_hashes

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(900)]

RAW = frozenset({"extra", "content_hash", "completed_at_raw", "state_raw"})
MARKS_OF_A_REFUND = frozenset({"state", "status", "refunded_at"})
PLAIN_IDS = "replace(replace(replace(lower({row}), '-', ''), 'fs|', ''), '~1', '')"
WORDS_DIFFER = {"core.clinics", "core.orders", "core.treatment_plans", "history.treatment_plans"}
EVENTS = {"core.events"}
EXCEPTIONS = {
    "unknown_words": WORDS_DIFFER,
    "event_ids_only": EVENTS,
    "feed_times_left_out": EVENTS,
    "event_times_left_out": EVENTS,
    "all": {*WORDS_DIFFER, "core.events"},
}


def hashes(connected: Connected, folder: Path, *quirks: str) -> Hashes:
    connected.sandbox.control.set_response_variants(*quirks)
    with fault_drill.fresh(connected, folder) as (warehouse, store, one):
        fault_drill.pull_all(warehouse, store, one)
        with warehouse.read() as con:
            assert con.execute("SELECT table_name, reason FROM ops.quarantine").fetchall() == []
            assert con.execute("SELECT resource, reason FROM ops.pulls WHERE reason LIKE 'listed %'").fetchall() == []
        return table_hashes(warehouse, without_columns=RAW | MARKS_OF_A_REFUND, spelling=PLAIN_IDS)


def test_every_quirk_alone_and_all_together_leave_the_same_tables(tmp_path: Path) -> None:
    with connected_pipeline(tmp_path, clinics=1, patients=6, products=12) as connected:
        clean = hashes(connected, tmp_path / "clean")
        wrong: dict[str, list[str]] = {}
        for name in (*RESPONSE_VARIANTS, "all"):
            found = hashes(connected, tmp_path / f"quirk-{name}", *parse_variant_names(name))
            allowed = EXCEPTIONS.get(name, set())
            different = [told for told in differing_tables(clean, found) if told.partition(":")[0] not in allowed]
            if different or any(clean[table][0] != found[table][0] for table in allowed):
                wrong[name] = different
    assert wrong == {}
