"""SQL that converts a text to a typed value: a text with exactly one meaning is converted, any other becomes NULL.

The plain spelling, which nearly every text has, is tried first; other spellings are tried only when it does not match.
Some servers write an impossible date (`0000-00-00`, `0001-01-01T00:00:00Z`) for "no date": it counts as an empty text.
What does not belong here: where a text comes from, what happens to one that cannot be converted (`record_typing`).
"""

from fullscript_pipeline.resources.types.table import Column, Kind

_YES, _NO = ("on", "1.0"), ("off", "0.0")
# Python and its users stop at the year 9999, in any zone.
_FIRST, _LAST = "0001-01-02", "9999-12-30"
_BLANKS = r"' ' || chr(9) || chr(10) || chr(13)"


def is_no_date(text: str) -> str:
    """Whether the text is empty, or a date that stands for none."""
    zero = f"{text} < '{_FIRST}' AND ltrim({text}) < '{_FIRST}' AND starts_with(ltrim({text}), '0')"
    return f"({text} = '' OR ({zero}))"


def cast(text: str, column: Column) -> str:
    """The column's value, or NULL."""
    match column.kind:
        case Kind.FLAG:
            return flag(text)
        case Kind.INTEGER:
            return _integer(text)
        case Kind.DECIMAL:
            return _decimal(text, exactly=column.exact)
        case Kind.INSTANT:
            plain = f"TRY_CAST({text} AS TIMESTAMPTZ)"
            return _dated(
                text, plain, f"coalesce({plain}, TRY_CAST({_iso_spelling(text)} AS TIMESTAMPTZ))", "TIMESTAMPTZ"
            )
        case Kind.DATE:
            plain, padded = (f"TRY_CAST(left({written}, 10) AS DATE)" for written in (text, _trimmed(text)))
            return _dated(text, plain, padded, "DATE")
        case _:
            return text


def is_rounded(text: str) -> str:
    """Whether a number has more decimals than the column holds."""
    plain = _plain_number(text)
    exact = f"TRY_CAST({plain} AS DECIMAL(38,10))"
    return (
        f"(NOT {_is_plain_decimal(text)} AND ({exact} <> TRY_CAST({exact} AS DECIMAL(18,4)) "
        f"OR regexp_matches({plain}, '[.][0-9]{{4}}[0-9]*[1-9]')))"
    )


def flag(text: str) -> str:
    """True or false. DuckDB knows t, f, yes, no, y, n, 1 and 0."""
    word = _trimmed(text)
    yes, no = (", ".join(f"'{spelling}'" for spelling in spellings) for spellings in (_YES, _NO))
    spelled_out = f"CASE WHEN lower({word}) IN ({yes}) THEN true WHEN lower({word}) IN ({no}) THEN false END"
    return f"coalesce(TRY_CAST({text} AS BOOLEAN), TRY_CAST({word} AS BOOLEAN), {spelled_out})"


def _integer(text: str) -> str:
    """A count. In one a comma before three digits can only group them."""
    plain = _trimmed(text)
    grouped = f"regexp_full_match({plain}, '[-+]?[0-9]{{1,3}}(,[0-9]{{3}})+([.]0*)?')"
    exact = f"TRY_CAST(if({grouped}, replace({plain}, ',', ''), {plain}) AS DECIMAL(38,10))"
    return (
        f"CASE WHEN regexp_full_match({text}, '[-+]?[0-9]{{1,18}}') THEN TRY_CAST({text} AS BIGINT) "
        f"WHEN {exact} = trunc({exact}) THEN TRY_CAST({exact} AS BIGINT) END"
    )


def _decimal(text: str, *, exactly: bool) -> str:
    """`10%`, `$19.99` and `1,299.00` are numbers too. More decimals are rounded, or give NULL (`exactly`)."""
    plain = _plain_number(text)
    exact = f"TRY_CAST({plain} AS DECIMAL(38,10))"
    narrow = f"TRY_CAST({exact} AS DECIMAL(18,4))"
    other = f"WHEN {exact} = {narrow} THEN {narrow}" if exactly else f"ELSE TRY_CAST({plain} AS DECIMAL(18,4))"
    return f"CASE WHEN {_is_plain_decimal(text)} THEN TRY_CAST({text} AS DECIMAL(18,4)) {other} END"


def _is_plain_decimal(text: str) -> str:
    return f"regexp_full_match({text}, '[-+]?[0-9]{{1,13}}([.][0-9]{{1,4}})?')"


def _plain_number(text: str) -> str:
    plain = f"regexp_replace({_trimmed(text)}, '^[$]\\s*|\\s*%$', '')"
    grouped = f"regexp_full_match({plain}, '[-+]?[0-9]{{1,3}}(,[0-9]{{3}})+([.][0-9]*)?')"
    return f"if({grouped}, replace({plain}, ',', ''), {plain})"


def _dated(text: str, plain: str, other: str, kind: str) -> str:
    """`plain` for a text that begins as a date of four digits does, else `other` where that is within the calendar."""
    usual = f"{text} BETWEEN '{_FIRST}' AND '{_LAST}~' AND substr({text}, 5, 1) = '-'"
    within = f"({other}) BETWEEN {kind} '{_FIRST}' AND {kind} '{_LAST}'"
    return f"coalesce(CASE WHEN {usual} THEN {plain} END, CASE WHEN {text} IS NOT NULL AND {within} THEN {other} END)"


def _trimmed(text: str) -> str:
    return f"trim({text}, {_BLANKS})"


def _iso_spelling(text: str) -> str:
    """Other spellings of a time: a blank before the offset (`2018-03-02 13:26:02 -0500`), no seconds, a small z."""
    joined = f"regexp_replace(upper({_trimmed(text)}), '\\s+([-+][0-9]{{2}}:?[0-9]{{2}})$', '\\1')"
    return f"regexp_replace({joined}, '^(.{{10}}[T ][0-9]{{2}}:[0-9]{{2}})(Z|[-+].*)?$', '\\1:00\\2')"
