"""Reading numbers out of dosage text: one spelling for every dash, fraction and number word, then exact fractions.

What does not belong here: what a number counts (frequency.py, duration.py, units.py) and what to do when it cannot
be read (dosage.py). Nothing here guesses: a text that is not wholly understood is not matched at all.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

# Longer than any honest dosage field; it also keeps hostile input away from the patterns.
MAX_LENGTH = 200

# unicode fraction signs
_VULGAR = dict(
    zip(
        "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞",
        ["1/2", "1/3", "2/3", "1/4", "3/4", "1/5", "2/5", "3/5", "4/5", "1/6", "5/6", "1/8", "3/8", "5/8", "7/8"],
        strict=True,
    )
)
_SAME = str.maketrans(
    dict.fromkeys("‐‑‒–—―−﹣-", "-")
    | dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000\t\r\n", " ")
    | {"×": "x", "⁄": "/", "∕": "/", "’": "'"}
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
)
_COUNTING = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_WORDS = {word: str(value) for value, word in enumerate(_COUNTING)} | {
    "fourteen": "14",
    "fifteen": "15",
    "twenty": "20",
    "thirty": "30",
}
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b")
_HALF = re.compile(r"(?<![\d./-])(?<![\d./-] )(?:(?:1|a)[ -])?half(?: of)?(?: an?\b)?")
_AND_A_HALF = re.compile(r"\b(\d+) and (?:a |1[ -])?half(?: an?\b)?")
_QUARTER = re.compile(r"(?<![\d./-])(?<![\d./-] )(?:(?:1|a)[ -])?quarter(?: of)?(?: an?\b)?")

# A whole number, a decimal, a fraction, or a whole number and a fraction. No comma: "1,5" may be 1.5 or 1 to 5.
NUMBER = r"(?:\d{1,3} \d{1,2}/\d{1,3}|\d{1,2}/\d{1,3}|\d{1,7}\.\d{1,4}|\.\d{1,4}|\d{1,7})"
# Two numbers with -, to, or, between them, or one number.
RANGE = rf"{NUMBER}(?: ?- ?{NUMBER}| (?:to|or) {NUMBER})?"
_RANGE = re.compile(rf"({NUMBER})(?:(?: ?- ?| to | or )({NUMBER}))?")


class UnreadableError(ValueError):
    """A text that cannot be read without guessing; the message is the reason in words."""


@dataclass(frozen=True)
class Span:
    """An interval of positive exact numbers, both ends included."""

    low: Fraction
    high: Fraction


def normalise(text: object) -> str:
    """Lower case, one kind of dash and space, digits for number words. Raises UnreadableError."""
    raw = "" if text is None or (isinstance(text, float) and math.isnan(text)) else str(text)
    if len(raw) > MAX_LENGTH:
        raise UnreadableError(f"the text is longer than {MAX_LENGTH} characters")
    for sign, spelled in _VULGAR.items():
        # The space keeps 1½ from becoming 11/2.
        raw = raw.replace(sign, f" {spelled}")
    flat = " ".join(raw.translate(_SAME).casefold().split()).lstrip(" ,;:").rstrip(" .,;:")
    flat = re.sub(r" ?&(?:amp;)? ?", " and ", flat)
    flat = re.sub(r"(?<!\S)w/(o)?(?=[ a-z])", lambda match: "without" if match[1] else "with ", flat).replace("  ", " ")
    flat = re.sub(r"\b(?:[a-z]\.){1,3}[a-z]\b\.?", lambda match: match[0].replace(".", ""), flat)
    flat = _WORD.sub(lambda match: _WORDS[match[0]], flat)
    flat = re.sub(r"\b(\d+) \(\1\)", r"\1", flat)
    flat = re.sub(r"\b(\d+) and (\d/\d)", r"\1 \2", flat)
    flat = _AND_A_HALF.sub(r"\1 1/2", flat)
    flat = _HALF.sub("1/2", flat)
    return _QUARTER.sub("1/4", flat)


def read_span(text: str) -> Span:
    """`1`, `1/2`, `1 1/2`, `0.5`, `1-2`, `1 to 2`, `1 or 2`. Raises UnreadableError for the rest."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise UnreadableError(f"{text.strip()!r} is not a number or a range")
    low = read_number(match[1])
    high = read_number(match[2]) if match[2] else low
    if high < low:
        raise UnreadableError(f"the range {text.strip()!r} falls instead of rising")
    return Span(low, high)


def read_number(text: str) -> Fraction:
    """One number matched by NUMBER, exactly. Raises UnreadableError: zero, fractions like misprints."""
    whole, _, fraction = text.rpartition(" ")
    if "/" in fraction:
        top, bottom = (int(part) for part in fraction.split("/"))
        # 11/2 is more often 1 1/2 than five and a half; 1 3/2 is neither.
        if bottom == 0 or (top >= bottom and (top > 9 or whole)):
            raise UnreadableError(f"the fraction {text!r} is doubtful")
        value = Fraction(top, bottom) + (int(whole) if whole else 0)
    else:
        value = Fraction(fraction)
    if value <= 0:
        raise UnreadableError("an amount of zero is not a dose")
    return value
