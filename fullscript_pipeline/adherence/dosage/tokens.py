"""Cut a dosage text into words, numbers and signs that know where they stand in the text as it was written.

Case, accents, kinds of dashes, quotes, spaces and digits, HTML entities and invisible characters are folded here, so
that nothing later knows about them. What does not belong here: what a word means (lexicon.py).
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

# Apostrophes part words in French and mean nothing in English; quotes mean nothing in either.
_SPELLINGS = (
    dict.fromkeys("‐‑‒–—―−﹣-－", "-")
    | dict.fromkeys("'’‘ʼ`´\"“”„«»‹›", " ")
    | {"×": "x", "⁄": "/", "∕": "/", "／": "/", "•": ";", "·": ";", "œ": "oe", "æ": "ae", "ı": "i"}
)
# Invisible characters and accents that stand alone, spaces and control characters.
_BY_CATEGORY = {"Cf": "", "Mn": "", "Zs": " ", "Cc": " "}
_NO_LETTER = r"(?<![^\W_])(?<!/)"
# Short spellings (the group, if there is one) and what they stand for. "x 10/7" is 10 days; up to 7 of 7 it may be the
# days of a week.
_SHORTENED = (
    (re.compile(rf"{_NO_LETTER}w/o +"), "without "),
    (re.compile(rf"{_NO_LETTER}[wc]/"), "with "),
    (re.compile(rf"{_NO_LETTER}ds +(?=[^\W_])"), "dans "),
    (re.compile(rf"{_NO_LETTER}av\.? +(?=[^\W\d_])"), "avant "),
    (re.compile(rf"{_NO_LETTER}ap\.? +(?=[^\W\d_])"), "apres "),
    (re.compile(rf"{_NO_LETTER}vit\.? *(?=(?:[acde]|d3|d2|b\d\d?|k2?)(?![^\W_]))"), "vitamin "),
    (re.compile(rf"{_NO_LETTER}chq\.? +"), "chaque "),
    (re.compile(r"\(\d{1,3}(?P<short> +)\d{3} *(?:iu|ui|mg|mcg|units)\b"), ""),
    (re.compile(r"(?<![^\W_])(?:x|for) *(?:[89]|[1-9]\d)(?P<short>/7)(?![\d/.,])"), " days"),
    (re.compile(r"(?<![\d/.,])[1-9]\d?(?P<short>/52)(?![\d/.,])"), " weeks"),
    (re.compile(r"(?<![^\W_])(?:x|for) *[1-9]\d?(?P<short>/12)(?![\d/.,])"), " months"),
)
# Compatibility characters that only look different; superscripts and circled digits mean something else.
_SAME = {"<wide>", "<narrow>", "<noBreak>", "<compat>", "<square>", "<small>"}
_ENTITY_OR_TAG = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});|</?[a-zA-Z][a-zA-Z0-9 /]{0,12}>")
_PLURAL = re.compile(r"(?<=[^\W\d_])\((?:s|es|e|x)\)", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?P<dotted>(?<![^\W_])(?:[a-z]\.){1,4}[a-z](?![^\W\d_])\.?)"
    r"|(?P<number>\d+(?:[.,]\d+)*|(?<![\w.)])\.\d+)"
    r"|(?P<fraction>[¼-¾⅐-⅞])"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<space>\s+)"
    r"|(?P<sign>.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`kind` is word, number, fraction or sign; `is_tight`: nothing stands between it and the token before."""

    kind: str
    text: str
    start: int
    end: int
    is_tight: bool

    @property
    def fraction(self) -> Fraction:
        """The value of a fraction sign, exactly."""
        return Fraction(unicodedata.numeric(self.text)).limit_denominator(10)


def tokenize(text: str) -> tuple[Token, ...]:
    """The tokens of a text; positions are those of the text as given."""
    flat, places = _fold(text)
    tokens: list[Token] = []
    end_of_last = -1
    for match in _TOKEN.finditer(flat):
        kind = match.lastgroup or "sign"
        if kind == "space":
            continue
        written = match[0].replace(".", "") if kind == "dotted" else match[0]
        start, end = places[match.start()], places[match.end() - 1] + 1
        tokens.append(
            Token(
                kind="word" if kind == "dotted" else kind,
                text=written,
                start=start,
                end=end,
                is_tight=match.start() == end_of_last,
            )
        )
        end_of_last = match.end()
    return tuple(tokens)


def _fold(text: str) -> tuple[str, list[int]]:
    """The text in one spelling, and for each of its characters the place in the text it comes from."""
    flat: list[str] = []
    places: list[int] = []
    for place, piece in _pieces(text):
        folded = _folded(piece)
        flat.append(folded)
        places += [place] * len(folded)
    joined = "".join(flat)
    for short, word in _SHORTENED:
        for match in reversed(list(short.finditer(joined))):
            at, end = match.span("short" if short.groups else 0)
            joined = joined[:at] + word + joined[end:]
            places[at:end] = [places[at]] * len(word)
    return joined, places


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Characters with their places; an entity as what it stands for, a tag and a plural in brackets as nothing."""
    skipped = {match.start(): match for match in _ENTITY_OR_TAG.finditer(text)}
    skipped |= {match.start(): match for match in _PLURAL.finditer(text)}
    place = 0
    while place < len(text):
        match = skipped.get(place)
        if match is None:
            yield place, text[place]
            place += 1
            continue
        meant = html.unescape(match[0].lower()) if match[0].startswith("&") else " " if match[0].startswith("<") else ""
        yield from ((place, character) for character in meant)
        place = match.end()


def _folded(character: str) -> str:
    """One character in the spelling of the vocabularies: lower case, no accent, plain dash, digit and space."""
    if character in _SPELLINGS:
        return _SPELLINGS[character]
    category = unicodedata.category(character)
    if category in _BY_CATEGORY:
        return _BY_CATEGORY[category]
    if category == "Nd":
        return str(unicodedata.decimal(character))
    shape = unicodedata.decomposition(character)
    if shape.startswith("<") and shape.split()[0] not in _SAME:
        return character
    spread = unicodedata.normalize("NFKD", character).casefold() if shape else character.casefold()
    return "".join(part for part in spread if unicodedata.category(part) != "Mn")
