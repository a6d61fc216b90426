"""Finds how responses differ from the description: new and missing keys, unknown words, other types.

Values are never reported, since they may be about a patient: only keys, names of types, and words of keys whose words
the description lists. What does not belong here: what is done about a difference (the warehouse's).
"""

import re
import threading
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Any, NamedTuple

from fullscript_pipeline.api.description.shapes import Shape, shape_at
from fullscript_pipeline.api.endpoints import ENDPOINTS

# An unknown word is reported only for keys whose words say nothing about a person.
_REPORTED_WORD_KEYS = frozenset({"state", "current_state", "status", "type", "category", "lab_type", "availability"})
_NAMES = {str: "text", int: "a number", float: "a number with decimals", bool: "true or false", type(None): "null",
          list: "a list", dict: "an object"}  # fmt: skip
# A key that looks like a value (an address, an id) is not reported.
_KEY = re.compile(r"[A-Za-z_$][\w.$-]{0,63}")
_WORD = re.compile(r"[A-Za-z][\w .-]{0,39}")
# In an instant: the separator of date and time, and what follows the seconds.
_TAIL = re.compile(r"T(\.\d+)?(Z|[+-](0\d|1[0-4]):[0-5]\d)")
_MOST = 50


class Difference(NamedTuple):
    """`what`: new_key, missing_key, unknown_word or type; `detail` names the key (dotted below the object)."""

    object: str
    what: str
    detail: str


class Differences:
    """Collects records as they arrive, from several threads, and returns their differences at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] = {}

    def see(self, endpoint: str, records: Sequence[dict[str, Any]]) -> None:
        """Records of an answer of this endpoint; those of an endpoint that is not described are not compared."""
        if records and (shape := shape_at(endpoint)):
            with self._lock:
                seen = self._seen.setdefault(shape.name, _Seen(shape, shape.name, ""))
                seen.see(records)
                seen.is_whole |= ENDPOINTS[endpoint].kind == "detail"

    def differences(self) -> list[Difference]:
        """Every difference once, in order."""
        return sorted({one for seen in self._seen.values() for one in seen.differences()})


class _Seen:
    """The keys, types and words of the records of one shape."""

    def __init__(self, shape: Shape, name: str, path: str) -> None:
        self.shape, self.name, self.path = shape, name, path
        self.is_whole = bool(path)
        self.pairs: set[tuple[str, type]] = set()
        self.words: dict[str, set[str]] = {key: set() for key in shape.words if key in _REPORTED_WORD_KEYS}
        self.tails: dict[str, set[str]] = {key: set() for key in shape.times}
        self.below: dict[str, _Seen] = {}

    def see(self, records: Sequence[dict[str, Any]]) -> None:
        # Every record of every pull passes here: records with the same keys are compared by column, in C.
        orders = set(map(tuple, records))
        alike: dict[tuple[str, ...], Sequence[dict[str, Any]]] = dict.fromkeys(orders, records)
        if len(orders) > 1:
            alike = {keys: list(group) for keys, group in groupby(sorted(records, key=tuple), key=tuple)}
        for keys, group in alike.items():
            for key, column in zip(keys, zip(*map(dict.values, group), strict=True), strict=True):
                self.pairs.update([(key, kind) for kind in set(map(type, column))])
        for key, words in self.words.items():
            words.update([word for record in records if type(word := record.get(key)) is str])
        for key, tails in self.tails.items():
            tails.update(
                [value[10:11] + value[19:] for record in records if type(value := record.get(key)) is str and value]
            )
        for key, shape in self.shape.nested.items():
            values = [value for record in records if (value := record.get(key))]
            lists = chain.from_iterable([value for value in values if type(value) is list])
            parts = [*[value for value in values if type(value) is dict], *lists]
            if set(map(type, parts)) - {dict}:
                parts = [part for part in parts if type(part) is dict]
            if parts:
                self.below.setdefault(key, _Seen(shape, self.name, f"{self.path}{key}.")).see(parts)

    def differences(self) -> Iterator[Difference]:
        keys = {key for key, _ in self.pairs} - {"as_received"}
        new = sorted(keys - self.shape.keys)
        yield from (
            self._difference("new_key", key if _KEY.fullmatch(key) else "(no plain word)") for key in new[:_MOST]
        )
        # A bare reference has no further keys; rows of a list may lack keys that the object itself has.
        if keys - {"id"}:
            missing = self.shape.sure - keys - (frozenset() if self.is_whole else self.shape.structured)
            yield from (self._difference("missing_key", key) for key in sorted(missing))
        for key, kind in self.pairs - self.shape.pairs:
            if key in self.shape.keys:
                yield self._difference("type", key, _NAMES.get(kind, kind.__name__))
        for key, tails in self.tails.items():
            if not all(_TAIL.fullmatch(tail) for tail in tails):
                yield self._difference("type", key, "no ISO 8601 time with its offset")
        for key, words in self.words.items():
            unknown = sorted(word for word in words if word and word.lower() not in self.shape.words[key])
            for word in unknown[:_MOST]:
                yield self._difference("unknown_word", key, word if _WORD.fullmatch(word) else "(no plain word)")
        for below in self.below.values():
            yield from below.differences()

    def _difference(self, what: str, key: str, more: str | None = None) -> Difference:
        return Difference(self.name, what, f"{self.path}{key}" + (f": {more}" if more else ""))
