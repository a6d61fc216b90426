"""Which keys can be guessed: none that a generator made, all that people make."""

import base64
import random
import string
from collections.abc import Callable

import pytest

from fullscript_pipeline.encryption.key_strength import estimate_entropy, guessable, is_guessable, new_key

GENERATORS: dict[str, Callable[[random.Random], str]] = {
    "hexadecimal, 128 bits": lambda source: source.randbytes(16).hex(),
    "HEXADECIMAL, 256 bits": lambda source: source.randbytes(32).hex().upper(),
    "base64, 128 bits": lambda source: base64.b64encode(source.randbytes(16)).decode(),
    "base64, 256 bits": lambda source: base64.b64encode(source.randbytes(32)).decode(),
    "urlsafe, 128 bits": lambda source: base64.urlsafe_b64encode(source.randbytes(16)).decode().rstrip("="),
    "a Fernet key": lambda source: base64.urlsafe_b64encode(source.randbytes(32)).decode(),
    "letters and digits": lambda source: "".join(source.choices(string.ascii_letters + string.digits, k=43)),
    "small letters": lambda source: "".join(source.choices(string.ascii_lowercase, k=56)),
}
PEOPLES = (
    "", "password", "P@ssw0rd", "a" * 200, "abcd" * 20, "P@ssw0rd" * 6, "deadbeef" * 8, "ÄÖÜ" * 20,
    "correct horse battery staple", "correct-horse-battery-staple-window-garden-yellow",
    "correcthorsebatterystaplemountainriver", "the quick brown fox jumps over the lazy dog", "abandon " * 12 + "about",
    "a long random text for tests, 0123456789", "Fullscript2024!Fullscript2024!",
    "Maria1962Stefan1965Anna1993Peter1998Toronto", "1990-01-01", "19900101" * 5,
    "1990010119650312199507231998110119630615",
    "1.1.2024 2.1.2024 3.1.2024 4.1.2024 5.1.2024", "qwertyuiopasdfghjklzxcvbnm1234567890",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "0123456789abcdef" * 2, "00112233445566778899aabbccddeeff",
    bytes(range(32)).hex(), base64.b64encode(bytes(range(32))).decode(), base64.b64encode(bytes(32)).decode(),
    base64.b64encode(b"the secret key of our clinic").decode(), b"the secret key of our clinic".hex(),
    "2b7e151628aed2a6abf7158809cf4f3c", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "your-256-bit-secret",
    "2f1b8e0c-5a7d-4c3e-9b1f-6d2a8c4e0f73", random.Random(1).randbytes(15).hex(),
)  # fmt: skip


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_generated_key_is_not_refused(kind: str) -> None:
    source = random.Random(20261128)
    assert [key for key in (GENERATORS[kind](source) for _ in range(500)) if is_guessable(key)] == []


@pytest.mark.check_all
@pytest.mark.parametrize("kind", GENERATORS)
def test_ten_thousand_generated_keys_are_not_refused(kind: str) -> None:
    source = random.Random(41)
    assert [key for key in (GENERATORS[kind](source) for _ in range(10_000)) if is_guessable(key)] == []


@pytest.mark.parametrize("key", PEOPLES)
def test_a_key_that_a_person_made_is_refused(key: str) -> None:
    assert is_guessable(key), estimate_entropy(key)


def test_ten_words_and_more_of_a_list_are_enough() -> None:
    words = "clinic-orbit-velvet-thunder-magnet-lobster-canyon-pickle-harvest"
    assert is_guessable(words)
    assert not is_guessable(f"{words}-window")


def test_new_keys_are_good_and_differ() -> None:
    keys = {new_key() for _ in range(500)}
    assert len(keys) == 500
    assert not any(map(is_guessable, keys))
    assert not any(set(key) & set(",'\"$\\ ") or key.startswith("-") for key in keys)


def test_which_key_of_a_list_can_be_guessed_is_reported_and_never_the_key() -> None:
    good = new_key()
    assert guessable([good]) is None
    assert guessable([good, "letmein"]) == "key 2 of 2"
    assert guessable(["letmein"]) == "the encryption key"
