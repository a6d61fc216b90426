"""Each fault, armed: the command line and the UI say the same sentence, with the endpoint and what to do next."""

import re

import pytest

from fullscript_pipeline_tests.helpers.fault_table import LISTING, ORDERS, Row, rows, table, written

pytestmark = [pytest.mark.check_all, pytest.mark.timeout(600)]

TODO = re.compile(r"\b(try again|Run `|Check |Wait |Give the app|compare it|tell the vendor|quote the)", re.IGNORECASE)
ENDPOINT = {
    LISTING: "patients (clinic maple-street-wellness, us-snd)",
    ORDERS: "orders (clinic maple-street-wellness, us-snd)",
    "/oauth/token": "oauth/token (clinic ",
}


@pytest.fixture(scope="module")
def found() -> list[Row]:
    return list(rows())


def test_every_failure_names_the_endpoint_and_the_next_step_in_both_places(found: list[Row]) -> None:
    failed = [(row, told) for row in found for told in (row.once, row.always) if told.code]
    assert len(failed) > 20
    for row, told in failed:
        assert told.sentence.startswith(ENDPOINT[row.endpoint]), row
        assert TODO.search(told.sentence), row
        assert "X-Request-Id" in told.sentence, row
        assert told.shown.splitlines()[0] == f"Failed: {told.sentence}", row
        assert "Traceback" not in told.said, row


def test_nothing_that_happens_once_fails_a_pull(found: list[Row]) -> None:
    assert {row.kind: row.once.code for row in found if row.once.code} == {}


def test_the_guide_has_this_table(found: list[Row]) -> None:
    assert written() == table(found), "run `make fault-table`"
