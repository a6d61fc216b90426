"""What a failed step says of an error that nobody foresaw. What does not belong here: the sentences of known errors."""

import dagster as dg
import duckdb
import pytest

from fullscript_pipeline.errors import UsageError
from fullscript_pipeline.orchestration.assets.asset_steps import split_partition_key
from fullscript_pipeline.orchestration.assets.step_failures import Failed, pipeline_errors_as_failures

CANARY = "patient-7b1c"


def test_an_unforeseen_error_says_where_it_happened_and_nothing_of_its_message() -> None:
    with pytest.raises(Failed) as failed, pipeline_errors_as_failures():
        split_partition_key(f"{CANARY}|{CANARY}")
    assert "Unexpected ValueError" in str(failed.value.description)
    assert "orchestration/assets/asset_steps.py:" in str(failed.value.description)
    assert CANARY not in str(failed.value.description)


def test_a_value_that_duckdb_names_stays_out_of_the_history() -> None:
    @dg.asset
    def orders() -> None:
        with pipeline_errors_as_failures():
            duckdb.execute(f"SELECT CAST('{CANARY}' AS INTEGER)")

    run = dg.materialize([orders], raise_on_error=False)
    (failure,) = [event for event in run.all_events if event.is_step_failure]
    assert "Unexpected ConversionException" in str(failure)
    assert CANARY not in str(failure)


def test_known_errors_and_dagsters_own_pass_as_they_were() -> None:
    with pytest.raises(Failed, match="no such clinic") as failed, pipeline_errors_as_failures():
        raise UsageError("no such clinic")
    assert failed.value.metadata["exit_code"].value == 2
    with pytest.raises(dg.RetryRequested), pipeline_errors_as_failures():
        raise dg.RetryRequested(max_retries=1)
