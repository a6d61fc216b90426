"""Shows the difference of two texts by words: added, removed, and a few unchanged words around them. HTML is shown as
text.

What does not belong here: deciding whether a difference matters (the catalog room).
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from markupsafe import Markup, escape

from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import ENGLISH, PageLanguage

# The matcher's time grows with the product of the lengths, so longer differences are only summarized.
_MOST_WORDS = 1500
_CONTEXT = 6
_LONGEST = 1200
_HIDDEN = re.compile(r"(?is)<(script|style)\b[^<>]*>.*?(?:</\1\s*>|$)|<!--.*?(?:-->|$)")
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Consecutive words that are equal (`=`), removed (`-`) or added (`+`)."""

    kind: str
    words: list[str]


def plain(markup: str | None) -> str:
    """The visible text of HTML: no tags, no scripts, single spaces."""
    visible = _TAG.sub(" ", _HIDDEN.sub(" ", markup or ""))
    return " ".join(formatting.clean(html.unescape(visible)).split())


def word_diff(old: str | None, new: str | None, language: PageLanguage = ENGLISH) -> Markup:
    """The difference as `<del>` and `<ins>` with a few words of context, at most about 1,200 characters long."""
    before, after = plain(old).split(), plain(new).split()
    if before == after:
        return escape(language.gettext("only the markup changed"))
    shown: list[Markup] = []
    length = 0
    for piece in _pieces(before, after, language):
        if not piece.words:
            continue
        shown.append(_shown(piece))
        length += sum(map(len, piece.words))
        if length > _LONGEST:
            shown.append(Markup("…"))
            break
    return Markup(" ").join(shown)


def _pieces(before: list[str], after: list[str], language: PageLanguage) -> Iterator[_Piece]:
    """Splits off the common beginning and end, which is cheap, and compares only what is between them."""
    shortest = min(len(before), len(after))
    head = next((index for index in range(shortest) if before[index] != after[index]), shortest)
    most = shortest - head
    tail = next((index for index in range(most) if before[-1 - index] != after[-1 - index]), most)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    yield _Piece(
        kind="=", words=before[:head][-_CONTEXT:] if head <= _CONTEXT else ["…", *before[head - _CONTEXT : head]]
    )
    if len(old) > _MOST_WORDS or len(new) > _MOST_WORDS:
        yield _Piece(kind="-", words=[*old[:40], _count_words(len(old), language)])
        yield _Piece(kind="+", words=[*new[:40], _count_words(len(new), language)])
    else:
        for kind, a1, a2, b1, b2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if kind == "equal":
                yield _Piece(kind="=", words=_middle(old[a1:a2]))
            else:
                yield _Piece(kind="-", words=old[a1:a2])
                yield _Piece(kind="+", words=new[b1:b2])
    end = before[len(before) - tail :]
    yield _Piece(kind="=", words=end if tail <= _CONTEXT else [*end[:_CONTEXT], "…"])


def _count_words(number: int, language: PageLanguage) -> str:
    return language.gettext("… (%(number)s words)", number=language.number(number))


def _middle(words: list[str]) -> list[str]:
    return words if len(words) <= 2 * _CONTEXT else [*words[:_CONTEXT], "…", *words[-_CONTEXT:]]


def _shown(piece: _Piece) -> Markup:
    words = escape(formatting.shorten(" ".join(piece.words), _LONGEST))
    if piece.kind == "=":
        return words
    tag = "del" if piece.kind == "-" else "ins"
    return Markup("<{0}>{1}</{0}>").format(Markup(tag), words)  # noqa: S704 -- one of two words
