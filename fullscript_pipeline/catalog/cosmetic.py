"""Whether two texts differ only in how they are written: white space, HTML entities, letter case, decimal precision.

What does not belong here: any judgement about meaning. `1 0` and `10` differ, `007` and `7` differ; `19.90` and `19.9`
do not.
"""

import html
import re

_DECIMAL = re.compile(r"[+-]?\d+\.\d+")
_BESIDE_TAG = re.compile(r" ?(<[^<>]*>) ?")


def is_cosmetic(old: str | None, new: str | None) -> bool:
    """True when the difference between two values is in their writing only; null and "" are the same nothing."""
    return _plain(old) == _plain(new)


def _plain(value: str | None) -> str:
    """What is compared: no entities, no case, single spaces (none beside tags), no zeros that end a decimal."""
    text = value or ""
    text = " ".join((html.unescape(text) if "&" in text else text).split())
    text = (_BESIDE_TAG.sub(r"\1", text).strip() if "<" in text else text).casefold()
    return text.rstrip("0").rstrip(".") if _DECIMAL.fullmatch(text) else text
