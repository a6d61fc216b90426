"""Whether two texts differ only in how they are written: white space, HTML entities, letter case, decimal precision,
and how Unicode spells a letter (UAX 15), with or without characters that take no room.

What does not belong here: any judgement about meaning. `1 0` and `10` differ, `007` and `7` differ; `19.90` and `19.9`
do not.
"""

import html
import re
import unicodedata

# Soft hyphen, zero-width blanks and joiners, byte order mark.
_NO_ROOM = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_DECIMAL = re.compile(r"[+-]?\d+\.\d+")
_BESIDE_TAG = re.compile(r" ?(<[^<>]*>) ?")


def is_cosmetic(old: str | None, new: str | None) -> bool:
    """True when the difference between two values is in their writing only; null and "" are the same nothing."""
    # Most changes are real, and descriptions are long: their first difference usually says enough.
    if old and new and surely_differ(old, new):
        return False
    before, after = _words(old), _words(new)
    if "".join(before) != "".join(after):
        return _plain(before) == _plain(after) if len(before) == len(after) == 1 else False
    return _plain(before) == _plain(after)


def surely_differ(old: str, new: str) -> bool:
    """Whether the first place where they differ shows two different letters or digits; no entity could stand for them.

    False says nothing.
    """
    place, end = 0, min(len(old), len(new))
    while place < end:
        middle = (place + end + 1) // 2
        if old[place:middle] == new[place:middle]:
            place = middle
        else:
            end = middle - 1
    one, other = old[place : place + 1].lower(), new[place : place + 1].lower()
    plain = (one + other).isascii() and one.isalnum() and other.isalnum()
    return plain and one != other and "&" not in old and "&" not in new


def _words(value: str | None) -> list[str]:
    """The text without entities and case, in one spelling, cut at white space."""
    text = value or ""
    text = html.unescape(text) if "&" in text else text
    return (text.casefold() if text.isascii() else _one_spelling(text)).split()


def _one_spelling(text: str) -> str:
    """The same for all texts that are equal but for case and composition (the standard's canonical caseless match)."""
    folded = unicodedata.normalize("NFD", text.translate(_NO_ROOM)).casefold()
    return unicodedata.normalize("NFD", folded)


def _plain(words: list[str]) -> str:
    """What is compared: single spaces (none beside tags), no zeros that end a decimal."""
    text = " ".join(words)
    text = _BESIDE_TAG.sub(r"\1", text).strip() if "<" in text else text
    return text.rstrip("0").rstrip(".") if _DECIMAL.fullmatch(text) else text
