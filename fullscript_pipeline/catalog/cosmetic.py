"""Decides whether two values of a field differ only in how they are written.

Prose is compared as a reader reads it: white space, letter case, HTML entities and equal markup, typographic signs,
Unicode composition (UAX 15), invisible characters and decimal places do not count. The case of a unit does (`mg` is not
`Mg`), and identifiers are compared exactly: other systems join on their text. What does not belong here: any judgement
about meaning. `1 0` and `10` differ, `007` and `7` differ; `19.90` and `19.9` do not.
"""

import html
import re
import unicodedata
from functools import lru_cache
from html.parser import HTMLParser

EXACT_FIELDS = frozenset({"sku", "upc", "supplier_sku", "product_id", "brand_id", "prefix"})
# Soft hyphen, zero-width blanks and joiners, directional marks, byte order mark.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        "\u2026": "...",
    }
)
_DECIMAL = re.compile(r"[+-]?\d+\.\d+")
# With a capital first letter alone it is another unit, or the symbol of magnesium. `MG` is the style of a headline.
_CAPITALISED_UNIT = re.compile(r"(?<![^\W\d_])(Mg|Ml)(?![^\W\d_])")
_MARK = "\ue000"
# Texts are compared in parts of this many bytes; the beginnings of descriptions are mostly equal.
_BLOCK = 128
_VOID_TAGS = frozenset({"br", "hr", "img", "wbr", "input", "col"})


def is_cosmetic(old: str | None, new: str | None, *, field: str | None = None) -> bool:
    """True if the two values of the field differ only in how they are written. None equals ""."""
    if field in EXACT_FIELDS:
        return (old or "") == (new or "")
    # Most changes are real and descriptions are long, so the first difference usually decides.
    if old and new and differs_quickly(old, new):
        return False
    return _reads_alike(old or "", new or "")


@lru_cache(maxsize=2_000)
def _reads_alike(old: str, new: str) -> bool:
    """Each pair once: a state may be written anew on every variant of a catalog."""
    return _as_read(old) == _as_read(new)


def differs_quickly(old: str, new: str) -> bool:
    """True if the texts first differ in two different ASCII letters or digits, outside of a tag and without entities.

    False means undecided.
    """
    before, after = old.encode(errors="surrogatepass"), new.encode(errors="surrogatepass")
    start, length = 0, min(len(before), len(after))
    while start < length and before[start : start + _BLOCK] == after[start : start + _BLOCK]:
        start += _BLOCK
    end = min(start + _BLOCK, length)
    # Read as numbers, the texts differ first at the highest bit of their exclusive or: faster than a search in Python.
    difference = int.from_bytes(before[start:end]) ^ int.from_bytes(after[start:end])
    place = end - (difference.bit_length() + 7) // 8
    old_char, new_char = before[place : place + 1].lower(), after[place : place + 1].lower()
    if old_char == new_char or not (old_char.isalnum() and new_char.isalnum()):
        return False
    is_in_tag = before.rfind(b"<", 0, place) > before.rfind(b">", 0, place)
    return not is_in_tag and b"&" not in before and b"&" not in after


def _as_read(text: str) -> list[str]:
    """The words and tags of a text in one way of writing; a text that is one decimal number without trailing zeros."""
    head, bracket, tail = text.rpartition(">")
    is_cut_off = "<" in tail
    parser = _Words()
    parser.feed(head + bracket if is_cut_off else text)
    parser.close()
    parser.end_text()
    # A parser may drop a tag that does not end.
    parts = parser.parts + (_fold_spelling(html.unescape(tail)).split() if is_cut_off else [])
    if len(parts) == 1 and _DECIMAL.fullmatch(parts[0]):
        return [parts[0].rstrip("0").rstrip(".")]
    return parts


class _Words(HTMLParser):
    """Collects the words and the tags of a text. Comments are not read; a word goes on behind one."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._text: list[str] = []

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def end_text(self) -> None:
        """Folds the text since the last tag into words."""
        self.parts += _fold_spelling("".join(self._text)).split()
        self._text.clear()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.end_text()
        written = "".join(f" {name}={' '.join((value or '').split())!r}" for name, value in sorted(attrs, key=str))
        self.parts.append(f"<{tag}{written}>")

    def handle_endtag(self, tag: str) -> None:
        self.end_text()
        if tag not in _VOID_TAGS:
            self.parts.append(f"</{tag}>")


def _fold_spelling(text: str) -> str:
    """Maps texts that differ only in case, signs and composition to the same text (Unicode's caseless match)."""
    text = _CAPITALISED_UNIT.sub(rf"\1{_MARK}", text)
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFD", text.translate(_INVISIBLE).translate(_TYPOGRAPHY)).casefold()
    return unicodedata.normalize("NFD", folded)
