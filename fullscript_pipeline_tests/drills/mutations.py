"""What may become of a true answer on its way: refused, empty, bent, reordered, or about something else.

Independent of the sandbox's own faults: a mutation gets the true body and gives another one. Two kinds are told apart:

* *evident* ones show in the answer itself (a refusal, a count that does not come out even, an id that is none), so that
  nothing may be concluded from them;
* *plausible* ones are answers that a truthful server could give (a field that is null today, a line that moved): they
  are believed, and found out when the object is read again.

What does not belong here: when they happen (`mutating_server`), and what must hold (`mutated_rounds`).
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

Record = dict[str, Any]


@dataclass
class TrueAnswer:
    """A GET that was answered 200: its endpoint as documented, the ids in its path, its page, and the true body.

    `others`: bodies that this endpoint gave for other ids or pages; `unfiltered` gives the body without filters;
    `hidden`: ids that may be hidden, as they are new.
    """

    endpoint: str
    ids: Mapping[str, str]
    page: int
    body: Any
    others: list[Any] = field(default_factory=list)
    unfiltered: Callable[[], Any] | None = None
    hidden: frozenset[str] = frozenset()

    @property
    def rows(self) -> list[Record]:
        """The records of the answer: those of a list, or the one."""
        return [row for key, value in self.body.items() if key != "meta" for row in _listed(value)]

    @property
    def list_key(self) -> str | None:
        return next((key for key, value in self.body.items() if isinstance(value, list)), None)


@dataclass(frozen=True)
class Answer:
    """What is answered instead; `bent` names the fields, `shorter` the parents whose parts were left out, `renamed`
    what has another id; `note`: what a reader should know of it."""

    status: int
    body: Any
    bent: frozenset[str] = frozenset()
    shorter: frozenset[str] = frozenset()
    renamed: frozenset[str] = frozenset()
    note: str = ""


Mutate = Callable[[Random, TrueAnswer], Answer | None]
SPELLINGS: tuple[Any, ...] = (
    *("", " ", "t", "f", "no", "unheard of", "1,214", "12.34567", "2 bottles", "0000-00-00", "0001-01-01"),
    *("2026-02-30T25:61:00Z", "\x00", "é" * 300, 16.666666666666668, -1, 1e30, 9007199254740993, True, False),
    *(None, [], {}, ["x"], {"a": 1}, [[]], {"value": None}),
)
NO_IDS: tuple[Any, ...] = ("", " ", None, [], {}, ["x"], {"id": "x"}, True)
# Ids of their own, as far as anybody can tell, but none that can be asked for.
UNASKABLE: tuple[Any, ...] = (".", "..", "a\x00b", "line\nbreak", "x" * 501)
TIMES = frozenset({"created_at", "updated_at", "completed_at", "available_at", "attempted_at"})


def _listed(value: Any) -> list[Record]:
    return [row for row in (value if isinstance(value, list) else [value]) if isinstance(row, dict)]


def _error(status: int, text: str) -> Mutate:
    return lambda _, ask: Answer(status, {"error": text})


def _instead(body: Any) -> Mutate:
    return lambda _, ask: Answer(200, body)


def _of_list(change: Callable[[Random, list[Record], Record], Any]) -> Mutate:
    """A list with other rows or another meta; `change` may return what stands in the rows' place."""

    def mutate(rng: Random, true_answer: TrueAnswer) -> Answer | None:
        key, body = true_answer.list_key, deepcopy(true_answer.body)
        if key is None or not body[key]:
            return None
        rows = body[key]
        changed = change(rng, rows, body.setdefault("meta", {}) if "meta" in true_answer.body else {})
        body[key] = rows if changed is None else changed[0]
        return Answer(200, body)

    return mutate


def _shuffled(rng: Random, rows: list[Record], _: Record) -> None:
    rng.shuffle(rows)


def _repeated(rng: Random, rows: list[Record], _: Record) -> None:
    rows.insert(rng.randrange(len(rows) + 1), rng.choice(rows))


def _dropped(rng: Random, rows: list[Record], meta: Record) -> Any:
    if "total_count" not in meta:
        return None  # nobody could tell
    rows.pop(rng.randrange(len(rows)))
    return None


def _uncounted(_: Random, __: list[Record], meta: Record) -> None:
    meta |= {"total_count": 0} if "total_count" in meta else {}


def _unpaged(_: Random, __: list[Record], meta: Record) -> None:
    meta |= {"total_pages": 0, "next_page": None} if "total_pages" in meta else {}


def _nothing(_: Random, __: list[Record], meta: Record) -> Any:
    return [[]] if "total_count" in meta else None


def _null(_: Random, __: list[Record], ___: Record) -> Any:
    return [None]


def _late(_: Random, true_answer: TrueAnswer) -> Answer | None:
    """As if what is new were not there yet: its event is told all the same."""
    if true_answer.endpoint.startswith(("/events/", "/webhooks/", "/catalog/", "/clinic/metadata")):
        return None
    if true_answer.hidden & {*true_answer.ids.values()}:
        return Answer(404, {"error": "Not found"})
    key, body = true_answer.list_key, deepcopy(true_answer.body)
    if key is None:
        return None
    body[key] = [row for row in body[key] if row.get("id") not in true_answer.hidden]
    if "meta" in body:
        body["meta"]["total_count"] -= len(true_answer.body[key]) - len(body[key])
    return Answer(200, body)


def _with_id(among: tuple[Any, ...], *, renamed: bool) -> Mutate:
    def mutate(rng: Random, true_answer: TrueAnswer) -> Answer | None:
        body = deepcopy(true_answer.body)
        rows = TrueAnswer(true_answer.endpoint, true_answer.ids, true_answer.page, body).rows
        if not rows:
            return None
        row, odd = rng.choice(rows), rng.choice(among)
        was, row["id"] = str(row.get("id")), odd
        return Answer(200, body, renamed=frozenset({was} if renamed else ()), note=f"{was} as {odd!r}"[:80])

    return mutate


def _answer_of_another_object(rng: Random, true_answer: TrueAnswer) -> Answer | None:
    """Another object's detail, or the rows of another page or of another object's list under this one's meta."""
    if not true_answer.others:
        return None
    other = rng.choice(true_answer.others)
    key = true_answer.list_key
    if key is None:
        return Answer(200, other)
    rows = other.get(key) or []
    if "meta" not in true_answer.body or (
        len(rows) == _total(true_answer.body, key) and "patient_id" not in true_answer.ids
    ):
        return None  # as many as there should be, and no row says whose it is: nobody could tell
    return Answer(200, {**true_answer.body, key: rows})


def _unfiltered(_: Random, true_answer: TrueAnswer) -> Answer | None:
    """As if no argument but those of paging were read; of a filter that shows more than none nobody could tell that."""
    body = true_answer.unfiltered() if true_answer.unfiltered else None
    key = true_answer.list_key
    shows_less = key is None or body is None or _total(body, key) < _total(true_answer.body, key)
    return None if shows_less else Answer(200, body)


def _total(body: Any, key: str) -> int:
    return int(body.get("meta", {}).get("total_count", len(body[key])))


def fields_of(record: Record, *, arrays: bool) -> Iterator[tuple[Record, str]]:
    """Where a record, or a part of it, holds something that names no object."""
    for key, value in record.items():
        names_one = key in {"id", "type"} or key.endswith(("_id", "_ids"))
        if not names_one and (arrays or not isinstance(value, list | dict)):
            yield record, key
        for part in _listed(value):
            yield from fields_of(part, arrays=arrays)


def _random_field(
    rng: Random, true_answer: TrueAnswer, body: Any, *, arrays: bool, among: frozenset[str]
) -> tuple[Record, str] | None:
    rows = TrueAnswer(true_answer.endpoint, true_answer.ids, true_answer.page, body).rows
    places = [place for row in rows for place in fields_of(row, arrays=arrays) if not among or place[1] in among]
    return rng.choice(places) if places else None


def _retyped(rng: Random, true_answer: TrueAnswer) -> Answer | None:
    body = deepcopy(true_answer.body)
    place = _random_field(rng, true_answer, body, arrays=False, among=frozenset())
    if place is None:
        return None
    record, key = place
    was, record[key] = record[key], rng.choice(SPELLINGS)
    return Answer(200, body, bent=frozenset({key}), note=f"{key} {was!r} as {record[key]!r}"[:120])


def _withheld(among: frozenset[str]) -> Mutate:
    def mutate(rng: Random, true_answer: TrueAnswer) -> Answer | None:
        body = deepcopy(true_answer.body)
        place = _random_field(rng, true_answer, body, arrays=True, among=among)
        if place is None:
            return None
        record, key = place
        record.pop(key)
        return Answer(200, body, bent=frozenset({key}), note=key)

    return mutate


def _handed_over(*, keep: bool) -> Mutate:
    """A part (a line, a variant, a test) is under another parent: instead, or as well."""

    def mutate(rng: Random, true_answer: TrueAnswer) -> Answer | None:
        body = deepcopy(true_answer.body)
        rows = TrueAnswer(true_answer.endpoint, true_answer.ids, true_answer.page, body).rows
        pairs = [
            (giver, taker, key)
            for giver in rows
            for key in giver
            if _listed(giver[key])
            for taker in rows
            if taker is not giver and isinstance(taker.get(key), list)
        ]
        if not pairs:
            return None
        giver, taker, key = rng.choice(pairs)
        part = rng.choice(giver[key])
        taker[key].insert(rng.randrange(len(taker[key]) + 1), deepcopy(part))
        if not keep:
            giver[key].remove(part)
        # Parts that have no id are known by their place: one more or less moves all that follow.
        touched = frozenset({str(giver["id"]), str(taker["id"])})
        return Answer(200, body, bent=frozenset({key}), shorter=touched, note=f"{key} {sorted(touched)}")

    return mutate


EVIDENT: dict[str, Mutate] = {
    "denied": _error(403, "Forbidden"),
    "unauthorized": _error(401, "The access token is invalid"),
    "not_found": _error(404, "Not found"),
    "failed": _error(500, "Internal server error"),
    "empty_object": _instead({}),
    "empty_array": _instead([]),
    "error_200": _instead({"error": "Something went wrong"}),
    "null_list": _of_list(_null),
    "no_rows": _of_list(_nothing),
    "total_count_zero": _of_list(_uncounted),
    "total_pages_zero": _of_list(_unpaged),
    "row_dropped": _of_list(_dropped),
    "row_repeated": _of_list(_repeated),
    "reordered": _of_list(_shuffled),
    "late": _late,
    "no_id": _with_id(NO_IDS, renamed=False),
    "other_object": _answer_of_another_object,
    "filters_ignored": _unfiltered,
}
PLAUSIBLE: dict[str, Mutate] = {
    "retyped": _retyped,
    "withheld": _withheld(frozenset()),
    "time_withheld": _withheld(TIMES),
    "unaskable_id": _with_id(UNASKABLE, renamed=True),
    "child_moved": _handed_over(keep=False),
    "child_shared": _handed_over(keep=True),
}
MUTATIONS = EVIDENT | PLAUSIBLE
