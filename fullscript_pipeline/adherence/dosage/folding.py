"""The unit that a pack's or a format's text means.

What does not belong here: amounts (quantities.py), conversion (adherence/units.py).
"""

import re
from functools import lru_cache

from fullscript_pipeline.adherence.dosage.cursor import Cursor
from fullscript_pipeline.adherence.dosage.tokens import tokenize
from fullscript_pipeline.adherence.dosage.unit_words import read_unit
from fullscript_pipeline.adherence.units import Unit, unknown_unit

_AFTERTHOUGHT = re.compile(r"/s\b| \([a-z -]+\)$", re.IGNORECASE)


@lru_cache(maxsize=1024)
def fold_unit(text: str) -> Unit | None:
    """The unit a word or phrase means, of kind `unknown` when no vocabulary holds it; None when there is no text."""
    tokens = [token for token in tokenize(_AFTERTHOUGHT.sub("", text)) if token.text not in ".,;:"]
    if not tokens:
        return None
    cursor = Cursor(tokens)
    unit = read_unit(cursor)
    if unit is None or cursor.token is not None:
        return unknown_unit(" ".join(text.split()).casefold())
    return unit
