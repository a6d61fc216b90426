"""Ids that can be asked for: one rule in Python and in SQL; whatever passes it is one segment of the address sent."""

from urllib.parse import unquote

import duckdb
import httpx
import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fullscript_pipeline.api import ENDPOINTS
from fullscript_pipeline.ids import id_text, is_requestable, usable_id
from fullscript_pipeline.json_text import parse_json
from fullscript_pipeline.resources.types import id_sql
from fullscript_pipeline.warehouse.landing import NO_ID, UNREQUESTABLE, keyed_line, parse_line

ODD = ["", " ", "\u2003", ".", "..", "\0", "a\nb", "a\x7f", "a\x85", "\ud800", "x" * 501]
FINE = ["a/../b", "..a", "%2e%2e", "a b", "é", "?x=1#y", "...", " .", "x" * 500, "12", "/", "\\", "\u2028x", "p;v=1"]
texts = st.text(st.sampled_from(".% /\\?#;é\u00a0\u2003ab0\n\x7f\x85'\""), max_size=6) | st.text(max_size=6)


@pytest.mark.parametrize("text", ODD)
def test_what_cannot_be_a_segment_is_never_requested(text: str) -> None:
    assert not is_requestable(text)
    assert usable_id(text) is None
    with pytest.raises(ValueError, match="cannot take"):
        ENDPOINTS["order"].url_path({"id": text})


@given(texts)
@example("a/../b")
@example("..%2f")
@example("%2e%2e")
def test_whatever_is_requestable_is_sent_as_one_segment(text: str) -> None:
    if not is_requestable(text):
        return
    base = "http://127.0.0.1/api"
    request = httpx.Request("GET", base + ENDPOINTS["patient_treatment_plans"].url_path({"patient_id": text}))
    *before, segment, last = request.url.raw_path.decode().split("/")
    assert (before, last) == (["", "api", "clinic", "patients"], "treatment_plans")
    assert unquote(segment) == text


@settings(deadline=None, max_examples=50)
@given(st.lists(texts, min_size=1, max_size=20))
@example([*ODD, *FINE])
def test_sql_decides_as_python_does(found: list[str]) -> None:
    values = [one for one in found if "\ud800" not in one]
    records = [orjson.dumps({"id": one}).decode() for one in values]
    with duckdb.connect() as con:
        table = pa.table({"text": pa.array(values, pa.string()), "record": pa.array(records, pa.string())})
        con.register("sent", table)
        told = con.execute(f"SELECT {id_sql.usable_id('text')} FROM sent").fetchall()
    assert [one for (one,) in told] == [usable_id(one) for one in values]


@pytest.mark.parametrize(
    ("sent", "text"),
    [(7, "7"), (12.0, "12"), (1e3, "1000"), ("12.0", "12"), (1.5, None), ("v1.0", "v1.0"), ("1.5", "1.5"),
     (True, None), (None, None), ({"a": 1}, None), ([1], None), ("", None), (2**70, str(2**70))],
)  # fmt: skip
def test_a_number_is_an_id_too(sent: object, text: str | None) -> None:
    assert id_text(sent) == text


@pytest.mark.parametrize("digits", ["123456789012345678901234567890", "18446744073709551616", "-9223372036854775809"])
def test_no_digit_of_a_large_number_is_lost(digits: str) -> None:
    body = b'{"rows":[{"id":%b,"patient":{"id": %b},"n":[1,%b]}]}' % ((digits.encode(),) * 3)
    (row,) = parse_json(body)["rows"]
    line = parse_line(keyed_line(row)[1])
    assert line.id == digits
    # As text: whoever reads what was landed might round a number.
    assert orjson.loads(line.record) == {"id": digits, "patient": {"id": digits}, "n": [1, digits]}


def test_numbers_that_fit_stay_numbers() -> None:
    body = b'[18446744073709551615, -9223372036854775808, 0.1234567890123456789, "1234567890123456789012"]'
    assert parse_json(body) == [2**64 - 1, -(2**63), 0.12345678901234568, "1234567890123456789012"]


def test_the_landed_id_of_a_record_says_why_it_is_not_requestable() -> None:
    ids = [keyed_line({"id": own, "n": n})[0] for own in (".", {"a": 1}, None) for n in (1, 2)]
    assert ids[0] == ids[1]  # of one content or another: the same object
    assert ids[0].startswith(UNREQUESTABLE)
    assert all(one.startswith(NO_ID) for one in ids[2:])
    assert len(set(ids[2:])) == 4
