"""Whether two texts differ only in how they are written: white space, HTML entities, letter case, decimal precision.

What does not belong here: any judgement about meaning. `1 0` and `10` differ; `19.90` and `19.9` do not.
"""

import html
import re
from decimal import Decimal, InvalidOperation

_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?")
_BESIDE_TAG = re.compile(r"\s*(<[^<>]*>)\s*")


def is_cosmetic(old: str | None, new: str | None) -> bool:
    """True when the difference between two values is in their writing only; null and "" are the same nothing."""
    return _plain(old) == _plain(new)


def _plain(value: str | None) -> str | Decimal:
    """What is compared: text without entities, case and surplus white space (none beside tags); a number as a number."""
    text = _BESIDE_TAG.sub(r"\1", html.unescape(value or ""))
    text = " ".join(text.split()).casefold()
    if _NUMBER.fullmatch(text):
        try:
            return Decimal(text)
        except InvalidOperation:
            return text
    return text
