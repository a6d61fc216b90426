"""A place in the tokens of one field, and the smallest steps: a word of a kind, a sign, a number, a range of numbers.

Numbers are exact and never guessed: "11/2", "2-1", "1-2-1", "0", "1,250" raise. What does not belong here: what is
counted (grammar.py and its neighbours).
"""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

from fullscript_pipeline.adherence.dosage.facts import Span, UnreadableError
from fullscript_pipeline.adherence.dosage.lexicon import after_joint, lexicon
from fullscript_pipeline.adherence.dosage.tokens import Token

_Result = TypeVar("_Result")
_ORDINAL_ENDS = {"st", "nd", "rd", "th", "e", "eme", "ieme", "er", "ere"}
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_DECIMAL_COMMA = re.compile(r"\d+,\d{1,2}|0,\d+")
_PLAIN = re.compile(r"\d{1,7}(?:\.\d{1,4})?|\.\d{1,4}")


class Cursor:
    """Moves over tokens; `place` may be set back by who tries an alternative."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.place = 0
        # Many rules try a number at the same place: each is read once.
        self.spans: dict[tuple[int, bool], tuple[Span | None, int]] = {}
        self._lexicon = lexicon()

    @property
    def token(self) -> Token | None:
        """The token at this place."""
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def word(self, *kinds: str) -> str | None:
        """Take the longest phrase of these kinds; returns what it means."""
        place = after_joint(self.tokens, self.place)
        longest = None
        for kind in kinds:
            match = self._lexicon.match(kind, self.tokens, place)
            if match is not None and (longest is None or match.end > longest.end):
                longest = match
        if longest is None:
            return None
        self.place = longest.end
        return longest.value

    def sign(self, signs: str) -> str | None:
        """Take one of these signs."""
        token = self.token
        if token is None or token.kind != "sign" or token.text not in signs:
            return None
        self.place += 1
        return token.text

    def attempt(self, rule: "Callable[[Cursor], _Result | None]") -> _Result | None:
        """What a rule reads here; the place stays where it was when it reads nothing."""
        place = self.place
        result = rule(self)
        if result is None:
            self.place = place
        return result

    def groups(self, part: str) -> frozenset[str]:
        """The moments of the day a time of day can mean."""
        return self._lexicon.groups[part]


def read_span(cursor: Cursor, *, allow_grouped: bool = False) -> Span | None:
    """`1`, `1/2`, `1-2`, `1 to 2`, `between 1 and 2`. `allow_grouped`: 1,000 is a thousand, not one."""
    key = cursor.place, allow_grouped
    if key not in cursor.spans:
        cursor.spans[key] = _read_span(cursor, allow_grouped), cursor.place
    span, cursor.place = cursor.spans[key]
    return span


def read_whole(cursor: Cursor) -> Span | None:
    """A number or range of days, weeks or hours: "4/6 hours" may be 4 to 6 of them, and is read by no rule."""
    span = read_span(cursor)
    return span if span is not None and span.low.denominator * span.high.denominator == 1 else None


def _read_span(cursor: Cursor, allow_grouped: bool) -> Span | None:
    place = cursor.place
    cursor.place = after_joint(cursor.tokens, place)
    starts = cursor.word("range_start") is not None
    low = _number(cursor, allow_grouped)
    if low is None:
        cursor.place = place
        return None
    after_low = cursor.place
    joined = cursor.sign("-~") or cursor.word("to", *(("range_and",) if starts else ()))
    high = _number(cursor, allow_grouped) if joined else None
    if high is None:
        cursor.place = place if starts else after_low
        return None if starts else Span(low=low, high=low)
    if high < low:
        raise UnreadableError("a range falls instead of rising")
    _refuse_a_third(cursor, allow_grouped)
    return Span(low=low, high=high)


def _refuse_a_third(cursor: Cursor, allow_grouped: bool) -> None:
    """`1-2-1` is a notation for times of day to some, a slip to others."""
    place = cursor.place
    if cursor.sign("-~") and _number(cursor, allow_grouped) is not None:
        raise UnreadableError("three numbers in a row can mean several things")
    cursor.place = place


def _number(cursor: Cursor, allow_grouped: bool) -> Fraction | None:
    """One number, and the same number once more in brackets ("two (2)")."""
    value = _bare_number(cursor, allow_grouped)
    if value is None:
        return None
    place = cursor.place
    if cursor.sign("("):
        again = _bare_number(cursor, allow_grouped)
        if again is not None and cursor.sign(")"):
            if again != value:
                raise UnreadableError("two different numbers stand for one")
            return value
    cursor.place = place
    return value


def _bare_number(cursor: Cursor, allow_grouped: bool) -> Fraction | None:
    value = cursor.attempt(_fraction_of_unit)
    if value is None:
        token = cursor.token
        if token is None:
            return None
        if token.kind == "fraction":
            cursor.place += 1
            return token.fraction
        if token.kind == "number" and _GROUPED.fullmatch(token.text) and not (allow_grouped or token.text[0] == "0"):
            # A thousand and more, or one and a part: only an amount has a unit that can tell.
            return None
        value = _digits(cursor, token.text) if token.kind == "number" else _counting_word(cursor)
    return None if value is None else _positive(value + _remaining_fraction(cursor, value))


def _positive(value: Fraction) -> Fraction:
    if value <= 0:
        raise UnreadableError("zero is no dose and no length")
    return value


def _counting_word(cursor: Cursor) -> Fraction | None:
    word = cursor.word("number")
    return None if word is None else Fraction(word)


def _digits(cursor: Cursor, text: str) -> Fraction:
    """A number in digits; with a slash and digits right after it, a fraction."""
    cursor.place += 1
    if _DECIMAL_COMMA.fullmatch(text):
        return Fraction(text.replace(",", "."))
    if _GROUPED.fullmatch(text):
        return Fraction(text.replace(",", ""))
    if not _PLAIN.fullmatch(text):
        raise UnreadableError(f"{text} is no number of a dose")
    bottom = _after_slash(cursor)
    if bottom is None:
        return Fraction(text)
    return _written_fraction(text, bottom)


def _after_slash(cursor: Cursor) -> str | None:
    """The digits after a slash when nothing stands between."""
    pair = cursor.tokens[cursor.place : cursor.place + 2]
    if len(pair) < 2 or pair[0].text != "/" or pair[1].kind != "number" or not (pair[0].is_tight and pair[1].is_tight):
        return None
    cursor.place += 2
    return pair[1].text


def _written_fraction(top: str, bottom: str) -> Fraction:
    # 11/2 is more often 1 1/2 than five and a half.
    if not (top.isdecimal() and bottom.isdecimal()) or int(bottom) < 2 or (int(top) >= int(bottom) and int(top) > 9):
        raise UnreadableError(f"the fraction {top}/{bottom} is doubtful")
    return Fraction(int(top), int(bottom))


def _remaining_fraction(cursor: Cursor, whole: Fraction) -> Fraction:
    """The fraction that follows a whole number: `1 1/2`, `1½`, `1 and a half`."""
    if whole.denominator != 1:
        return Fraction(0)
    place = cursor.place
    cursor.word("range_and") or cursor.sign("&")
    token = cursor.token
    if token is not None and token.kind == "fraction":
        cursor.place += 1
        return token.fraction
    if token is not None and token.kind == "number" and token.text.isdecimal():
        cursor.place += 1
        bottom = _after_slash(cursor)
        part = _written_fraction(token.text, bottom) if bottom else None
        if part is not None and part >= 1:
            raise UnreadableError("a whole number and more than one whole is doubtful")
        if part is not None:
            return part
    cursor.place = place
    if cursor.word("range_and") or cursor.sign("&"):
        half = cursor.attempt(_fraction_of_unit)
        if half is not None:
            return half
    cursor.place = place
    return Fraction(0)


def _fraction_of_unit(cursor: Cursor) -> Fraction | None:
    """`half`, `one half of a`, `two thirds`, `une demie`, `la moitié d'un`: always less than one."""
    place = cursor.place
    token = cursor.token
    count = Fraction(1)
    if cursor.word("number", "article") is None:
        if token is not None and token.kind == "number" and token.text.isdecimal():
            cursor.place += 1
            count = Fraction(token.text)
    elif token is not None:
        counted = lexicon().match("number", cursor.tokens, place)
        count = Fraction(counted.value) if counted else count
    fraction = cursor.word("fraction")
    if fraction is None or Fraction(fraction) * count >= 1 or not count:
        return None
    after = cursor.place
    of = cursor.word("of")
    # "half a tablet", "half of one tablet": one is what is halved, not a second number.
    if cursor.word("article") is None and (of is None or cursor.word("number") is None):
        cursor.place = after
        cursor.word("of")
    return Fraction(fraction) * count


def read_ordinal(cursor: Cursor) -> Span | None:
    """`other`, `third`, `2nd`, `3e`: which of the days that follow each other."""
    word = cursor.word("ordinal")
    if word is not None:
        return Span(low=Fraction(word), high=Fraction(word))
    pair = cursor.tokens[cursor.place : cursor.place + 2]
    if len(pair) == 2 and pair[0].text.isdecimal() and pair[1].is_tight and pair[1].text in _ORDINAL_ENDS:
        cursor.place += 2
        return Span(low=Fraction(pair[0].text), high=Fraction(pair[0].text))
    return None
