"""Decides whether two texts differ only in how they are written: white space, HTML entities, letter case, decimal
precision, Unicode composition (UAX 15), and characters of zero width.

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
    """True if the two values differ only in how they are written. None equals ""."""
    # Most changes are real and descriptions are long, so the first difference usually decides.
    if old and new and differs_quickly(old, new):
        return False
    before, after = _words(old), _words(new)
    if "".join(before) != "".join(after):
        return _plain(before) == _plain(after) if len(before) == len(after) == 1 else False
    return _plain(before) == _plain(after)


def differs_quickly(old: str, new: str) -> bool:
    """True if the texts first differ in two different ASCII letters or digits, and neither holds an HTML entity.

    False means undecided.
    """
    place, end = 0, min(len(old), len(new))
    while place < end:
        middle = (place + end + 1) // 2
        if old[place:middle] == new[place:middle]:
            place = middle
        else:
            end = middle - 1
    old_char, new_char = old[place : place + 1].lower(), new[place : place + 1].lower()
    plain = (old_char + new_char).isascii() and old_char.isalnum() and new_char.isalnum()
    return plain and old_char != new_char and "&" not in old and "&" not in new


def _words(value: str | None) -> list[str]:
    """The words of the text, without entities and letter case, in one Unicode spelling."""
    text = value or ""
    text = html.unescape(text) if "&" in text else text
    return (text.casefold() if text.isascii() else _fold_spelling(text)).split()


def _fold_spelling(text: str) -> str:
    """Maps texts that differ only in case and composition to the same text (Unicode's canonical caseless match)."""
    folded = unicodedata.normalize("NFD", text.translate(_NO_ROOM)).casefold()
    return unicodedata.normalize("NFD", folded)


def _plain(words: list[str]) -> str:
    """The text that is compared: single spaces, none beside tags, and no trailing zeros of a decimal."""
    text = " ".join(words)
    text = _BESIDE_TAG.sub(r"\1", text).strip() if "<" in text else text
    return text.rstrip("0").rstrip(".") if _DECIMAL.fullmatch(text) else text
