"""Estimates how hard an encryption key is to guess, from its text alone, and makes good keys.

A text does not show how it was made. The estimate is its length times the bits of its apparent alphabet, without
structure that people create and generators do not: repeats, sequences, keyboard walks, dates. Generated keys contain up
to eight characters of such structure by chance; these count as random, so that a generated key of 128 bits is not
refused. A text of words counts 12.9 bits per different word (a list of 7,776). A text that decodes (base64,
hexadecimal) to text or a pattern is as weak as that, and keys from manuals and examples count zero. What does not
belong here: where a key is set (`key_source`), and key stretching: DuckDB must be able to open a file with the key
itself.
"""

import base64
import binascii
import math
import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from fullscript_pipeline.errors import ConfigurationError

ENOUGH_BITS = 128
# The bits of a word, a year and a single letter; an average word has five and a half letters.
_WORD, _YEAR_BITS, _LETTER, _LETTERS_OF_A_WORD = math.log2(7776), math.log2(200), math.log2(26), 5.5
_BY_CHANCE = 8
_SHORTEST = 5
# In lower case without punctuation: defaults of frameworks, examples of manuals, test vectors of standards.
_COMMON = frozenset(
    re.split(
        r"\s+",
        """password secret changeme letmein default example yourkeyhere yoursecretkeyhere your256bitsecret
        thisisasecretkey supersecretkey mysecretkey encryptionkey correcthorsebatterystaple anylongrandomtext
        cw0x689rpijtrr7oe8heqskimvjaplesbxpwf4e4 djangoinsecure 2b7e151628aed2a6abf7158809cf4f3c
        8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b feffe9928665731c6d6a8f9467308308
        603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4
        feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308""",
    )
)
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop", "yxcvbnm", "!@#$%^&*()")
_COLUMNS = ("1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp", "zaqxswcdevfrbgtnhymjukilop")
_WALKS = frozenset(
    walk[at : at + _SHORTEST]
    for row in (*_ROWS, *_COLUMNS)
    for walk in (row, row[::-1])
    for at in range(len(walk) - _SHORTEST + 1)
)
_YEAR, _MONTH, _DAY, _DASH = "(?:19|20)[0-9]{2}", "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])", "[-./]?"
_DATE = re.compile(_DASH.join((_YEAR, _MONTH, _DAY)) + "|" + _DASH.join((_DAY, _MONTH, _YEAR)))
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# 22 to 24 characters of one case may be base64 of 128 bits.
_SAME_CASE = "[0-9a-z]{25,}|[0-9A-Z]{25,}"
_ALPHABETS = (("[0-9]+", 10), ("[0-9a-f]+|[0-9A-F]+", 16), (_SAME_CASE, 32), ("[0-9A-Za-z+/_-]+", 64))
_LETTERS = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_WORD_OR_NUMBER = re.compile("[A-Z]?[a-z]+[0-9]*|[A-Z]+[0-9]*|[0-9]+")
# Most letter pairs of an English text are among these, and a seventh of those of a random text.
_PAIRS = frozenset(
    re.split(
        r"\s+",
        """th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve
        ra ld ur ri ro ne me io ic ll co ho ma ta el la li ec ch ce om us ac be pl tr ca no wa di so lo ss ot un op pe
        il ow ee oo wo ir ay ge ke rd rs ns ts ie em sh im ag pa rr ry ck wi bu ba as do tt po fo ia da""",
    )
)
_Span = tuple[int, int]


def new_key() -> str:
    """Makes a key of 256 bits in 43 characters, none of which is special in a shell, in `.env` or in a list of keys."""
    while (key := secrets.token_urlsafe(32)).startswith("-"):  # it would be parsed as an option
        pass
    return key


def is_guessable(key: str) -> bool:
    return estimate_entropy(key) < ENOUGH_BITS


def require_good_keys(keys: Sequence[str]) -> None:
    """Raises ConfigurationError for a key that can be guessed; data of real patients must not be sealed with it."""
    if weak := guessable(keys):
        raise ConfigurationError(
            f"FULLSCRIPT_ENCRYPTION_KEY is to seal data of real patients, and {weak} can be guessed: set it to one "
            "that `fullscript-pipeline keys new` prints, kept outside the data directory."
        )


def guessable(keys: Sequence[str]) -> str | None:
    """Names the keys of a setting that can be guessed, in words; None if there are none."""
    weak = [number for number, key in enumerate(keys, 1) if is_guessable(key)]
    if not weak:
        return None
    return f"key {', '.join(map(str, weak))} of {len(keys)}" if len(keys) > 1 else "the encryption key"


def estimate_entropy(key: str) -> float:
    """Estimates the bits of a key as the module describes: the minimum of characters, words and decoded bytes."""
    plain = re.sub("[^a-z0-9]", "", key.lower())
    if plain in _COMMON or plain.rstrip("0123456789") in _COMMON:
        return 0.0
    if _UUID.fullmatch(key.lower()):
        return 122.0  # the other bits of a UUID are fixed
    guesses = [_as_characters(key), *(_as_bytes(decoded) for decoded in _decoded(key) if decoded)]
    if _consists_of_words(key):
        guesses.append(_as_words(key))
    return min(guesses)


def _as_characters(key: str) -> float:
    bare = key.rstrip("=")
    size = next((size for pattern, size in _ALPHABETS if re.fullmatch(pattern, bare)), 90)
    text = key if size == 90 else bare
    lower = text.lower()
    # Sixteen characters make more patterns by chance than sixty-four.
    shortest = _SHORTEST + (size == 16)
    structure = [
        *_progressions([ord(character) for character in lower], {-1, 0, 1}, shortest),
        *_repeats(text, shortest),
    ]
    structure += _walks(lower)
    if size != 16:  # a fortieth of all such keys hold a date
        structure += [match.span() for match in _DATE.finditer(text)]
    structured = _covered(structure)
    return math.log2(size) * (len(text) - (structured if structured > _BY_CHANCE else 0))


def _consists_of_words(key: str) -> bool:
    """Whether it consists of separated words, or mostly of words, judged by its letter pairs."""
    parts = [part for part in re.split("[^A-Za-z0-9]+", key) if part]
    if len(parts) > 3 and all(map(_WORD_OR_NUMBER.fullmatch, parts)) and 4 * sum(map(len, parts)) > 3 * len(key):
        return True
    words = [word.lower() for word in _LETTERS.findall(key) if len(word) > 3]
    pairs = [word[at : at + 2] for word in words for at in range(len(word) - 1)]
    usual = sum(pair in _PAIRS for pair in pairs)
    return len(pairs) > 11 and 10 * usual >= 7 * len(pairs) and 20 * sum(map(len, words)) > 11 * len(key)


def _as_words(key: str) -> float:
    """Counts each different word, number and sign once: a repetition adds nothing to guess."""
    bits = 5.0 * len(set(re.findall("[^A-Za-z0-9]", key)))
    for word in set(_LETTERS.findall(key)):
        words = 1.0 if len(word) < 12 else len(word) / _LETTERS_OF_A_WORD
        bits += min(_WORD * words, _LETTER * len(word))
    for number in set(re.findall("[0-9]+", key)):
        structure = [*_progressions([ord(digit) for digit in number], {-1, 0, 1}), *_walks(number)]
        bits += _YEAR_BITS if re.fullmatch(_YEAR, number) else math.log2(10) * (len(number) - _covered(structure))
    return bits


def _as_bytes(decoded: bytes) -> float:
    if decoded.isascii() and decoded.decode().isprintable():
        return estimate_entropy(decoded.decode())
    structure = [*_progressions(decoded, range(-255, 256)), *_repeats(decoded)]
    return 8.0 * (len(decoded) - _covered(structure))


def _decoded(key: str) -> Iterator[bytes]:
    """Yields the bytes that the key may encode in hexadecimal or base64."""
    bare = key.rstrip("=").translate(str.maketrans("-_", "+/"))
    with suppress(ValueError):
        yield bytes.fromhex(key)
    with suppress(binascii.Error, ValueError):
        yield base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)


def _progressions(values: Sequence[int], steps: Collection[int], shortest: int = _SHORTEST) -> Iterator[_Span]:
    """Yields runs in which each value differs from the one before by the same step: aaaaa, abcde, 54321."""
    start = 0
    for at in range(1, len(values) + 1):
        step = values[at] - values[at - 1] if at < len(values) else None
        if at - start >= 2 and step != values[start + 1] - values[start]:
            if at - start >= shortest and values[start + 1] - values[start] in steps:
                yield start, at
            start = at - 1


def _walks(lower: str) -> Iterator[_Span]:
    for at in range(len(lower) - _SHORTEST + 1):
        if lower[at : at + _SHORTEST] in _WALKS:
            yield at, at + _SHORTEST


def _repeats(text: str | bytes, shortest: int = _SHORTEST) -> Iterator[_Span]:
    """Yields pieces that occurred in the text before."""
    earlier: set[str | bytes] = set()
    for at in range(len(text) - shortest + 1):
        piece = text[at : at + shortest]
        if piece in earlier:
            yield at, at + shortest
        earlier.add(piece)


def _covered(spans: Collection[_Span]) -> int:
    return len({at for start, end in spans for at in range(start, end)})
