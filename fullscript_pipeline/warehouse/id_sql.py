"""Ids in SQL, by the rule of `fullscript_pipeline.ids`: for texts out of a record whose JSON is the column `record`.

What does not belong here: the rule itself, typing of other fields (`reading`).
"""

from fullscript_pipeline import ids

# As Python's `str.strip` takes blanks; control characters are told apart before.
_CONTROL = r"[\x00-\x1f\x7f-\x{9f}]"
_BLANK = r"[ \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]*"


def can_be_asked(text: str) -> str:
    """Whether the text can be asked for. JSON writes control characters as escapes, so few texts are looked through."""
    odd = f"(strlen({text}) <> length({text}) OR contains(record, '\\') OR contains(record, chr(127)))"
    return (
        f"({text} NOT IN ('.', '..') AND length({text}) <= {ids.LONGEST} AND NOT ({text} < '!' AND trim({text}) = '') "
        f"AND NOT ({odd} AND (regexp_matches({text}, '{_CONTROL}') OR regexp_full_match({text}, '{_BLANK}'))))"
    )


def whole(text: str) -> str:
    """A whole number without its fraction."""
    return f"CASE WHEN ends_with({text}, '.0') THEN regexp_replace({text}, '^(-?[0-9]+)[.]0$', '\\1') ELSE {text} END"


def usable_id(text: str) -> str:
    """The id, or NULL when it cannot be asked for."""
    return f"CASE WHEN {can_be_asked(text)} THEN {whole(text)} END"
