"""Ids in SQL, by the rule of `fullscript_pipeline.ids`: for texts out of a record whose JSON is the column `record`.

What does not belong here: the rule itself, typing of other fields (`record_typing`).
"""

from fullscript_pipeline import ids

# As Python's `str.strip` takes blanks; control characters are told apart before.
_CONTROL = r"[\x00-\x1f\x7f-\x{9f}]"
_BLANK = r"[ \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]*"


def is_requestable(text: str) -> str:
    """Whether the text can be asked for.

    Nearly every id is told by its length and first letter; JSON writes control characters as escapes.
    """
    plain = f"strlen({text}) BETWEEN 3 AND {ids.LONGEST} AND {text} >= '!' AND strlen({text}) = length({text})"
    plain += f" AND NOT contains(record, '\\') AND NOT contains({text}, chr(127))"
    fine = (
        f"{text} NOT IN ('.', '..') AND length({text}) <= {ids.LONGEST} AND NOT regexp_matches({text}, '{_CONTROL}') "
        f"AND NOT regexp_full_match({text}, '{_BLANK}')"
    )
    return f"(({plain}) OR ({fine}))"


def without_fraction(text: str) -> str:
    """A whole number without its fraction."""
    return f"CASE WHEN ends_with({text}, '.0') THEN regexp_replace({text}, '^(-?[0-9]+)[.]0$', '\\1') ELSE {text} END"


def usable_ids(texts: str) -> str:
    """Those of a list of ids that can be asked for."""
    return f"list_filter(list_transform({texts}, lambda one: {usable_id('one')}), lambda one: one IS NOT NULL)"


def usable_id(text: str) -> str:
    """The id, or NULL when it cannot be asked for."""
    return f"CASE WHEN {is_requestable(text)} THEN {without_fraction(text)} END"
