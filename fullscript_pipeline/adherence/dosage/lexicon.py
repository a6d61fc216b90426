"""The vocabularies of dosage texts (english.toml, french.toml) as one table: the words of each kind, and their meaning.

A text may mix the languages, so they are read together. What does not belong here: how kinds combine (grammar.py).
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product

from fullscript_pipeline.adherence.dosage.tokens import Token, tokenize

LANGUAGES = ("english", "french")
# Kinds whose words are nouns: their plurals are added.
_NOUNS = {"fraction", "period", "part", "weekday", "weekdays", "unit", "strength", "meals", "purpose", "substance"}
_NOUNS |= {"divided_doses", "liquid", "container", "interval", "practitioner", "body"}
# Adjectives and articles that stay as they are when the noun beside them becomes a plural.
_FIXED = {"a", "de", "d", "of", "the", "en", "au", "du", "le", "la", "l"}

Phrase = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Match:
    """A phrase that stands in a text: what it means and the place after it."""

    value: str
    end: int


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """Phrases by kind and first word, the longest first."""

    kinds: Mapping[str, Mapping[str, Sequence[tuple[Phrase, str]]]]
    groups: Mapping[str, frozenset[str]]
    words: frozenset[str]

    def match(self, kind: str, tokens: Sequence[Token], place: int) -> Match | None:
        """The longest phrase of a kind that starts at a place."""
        if place >= len(tokens):
            return None
        starting = self.kinds.get(kind)
        for phrase, value in starting.get(tokens[place].text, ()) if starting else ():
            end = _end_of(phrase, tokens, place)
            if end is not None:
                return Match(value=value, end=end)
        return None

    def knows(self, word: str) -> bool:
        """Whether any vocabulary holds the word."""
        return word in self.words


@cache
def lexicon() -> Lexicon:
    """Both vocabularies, read once."""
    kinds: dict[str, dict[str, list[tuple[Phrase, str]]]] = {}
    groups: dict[str, frozenset[str]] = {}
    known: set[str] = set()
    for kind, value, text in _entries():
        if kind == "groups":
            groups[value] = groups.get(value, frozenset()) | {text}
            continue
        for phrase in _spellings(tuple(token.text for token in tokenize(text)), kind in _NOUNS):
            known.update(phrase)
            phrases = kinds.setdefault(kind, {}).setdefault(phrase[0], [])
            if (phrase, value) not in phrases:
                phrases.append((phrase, value))
    for by_word in kinds.values():
        for phrases in by_word.values():
            phrases.sort(key=lambda entry: -len(entry[0]))
    return Lexicon(kinds=kinds, groups=groups, words=frozenset(known))


def _entries() -> Iterator[tuple[str, str, str]]:
    """Kind, meaning and text of every entry; the kinds of the table `words` have no meaning but themselves."""
    for language in LANGUAGES:
        source = files("fullscript_pipeline.adherence.dosage").joinpath(f"{language}.toml").read_text(encoding="utf-8")
        for kind, table in tomllib.loads(source).items():
            for key, texts in table.items():
                for text in texts:
                    yield (key, key, text) if kind == "words" else (kind, key, text)


def _spellings(phrase: Phrase, is_noun: bool) -> set[Phrase]:
    if not is_noun:
        return {phrase}
    forms = [(word, *_plurals(word)) if word not in _FIXED and word.isalpha() else (word,) for word in phrase]
    return {tuple(spelling) for spelling in product(*forms)}


def _plurals(word: str) -> tuple[str, ...]:
    if len(word) == 1 or word.endswith("ss"):
        return (f"{word}es",) if word.endswith("ss") else ()
    if word.endswith("y"):
        return f"{word}s", f"{word[:-1]}ies"
    if word.endswith(("ch", "sh", "x")):
        return (f"{word}es",)
    if word.endswith(("au", "eu")):
        return f"{word}s", f"{word}x"
    return () if word.endswith("s") else (f"{word}s",)


def _end_of(phrase: Phrase, tokens: Sequence[Token], place: int) -> int | None:
    """The place after a phrase that starts at a place; a dot or a tight hyphen may stand between its words."""
    for number, word in enumerate(phrase):
        if number:
            place = after_joint(tokens, place)
        if place >= len(tokens) or (tokens[place].text != word and not (word == "*" and tokens[place].kind == "word")):
            return None
        place += 1
    return place


def after_joint(tokens: Sequence[Token], place: int) -> int:
    """The place after a dot of an abbreviation or a hyphen inside a word ("fl. oz.", "on-going", "M/W/F")."""
    if not 0 < place < len(tokens) - 1 or not tokens[place].is_tight:
        return place
    before, sign, after = tokens[place - 1 : place + 2]
    if sign.text == "." and before.kind == "word" and len(before.text) <= 6:
        return place + 1
    if sign.text == "-" and after.is_tight and not (before.kind == after.kind == "number"):
        return place + 1
    if sign.text == "/" and len(before.text) == 1 and after.is_tight and len(after.text) <= 2:
        return place + 1 if before.kind == after.kind == "word" else place
    return place
