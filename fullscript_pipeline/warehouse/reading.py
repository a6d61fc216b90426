"""SQL that turns a record's JSON text into typed columns, and tells which records could not be typed.

`json_transform` reads the record once into a struct of text; each column is then cast on its own, so a value that
cannot be typed is seen and not silently NULL or rounded. What does not belong here: inserting, comparing, history.
"""

import json
from typing import Any

from fullscript_pipeline import ids
from fullscript_pipeline.warehouse.id_sql import can_be_asked, usable_id
from fullscript_pipeline.warehouse.landing import AS_RECEIVED, CANNOT_BE_ASKED, NO_ID, UNREADABLE
from fullscript_pipeline.warehouse.tables import Column, Kind, Table

# A record that is larger is more likely a fault than an object, and would take the memory of a whole batch.
MAX_RECORD_BYTES = 2 * 2**20


def structure(table: Table) -> str:
    """The argument of `json_transform`: every source path, all leaves read as text."""
    tree: dict[str, Any] = {}
    lists = {column.source[0] for column in table.columns if column.kind is Kind.LIST}
    for path in table.sources():
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            inside: dict[str, Any] = {}
            if parent.endswith("[]"):
                node[parent.removesuffix("[]")] = [inside]
            else:
                inside = node.setdefault(parent, inside)
            node = inside
        node[leaf] = ["VARCHAR"] if path in lists else "VARCHAR"
    # A record that could not be landed as JSON stands as text under this key.
    return json.dumps({**tree, AS_RECEIVED: "VARCHAR"})


def records(table: Table, source: str) -> str:
    """The rows of `source` (parent_id, id, hash, record), each with its record as the struct `r`.

    A record that is too large stands as `whole` only: reading it would take the memory of all others.
    """
    read = f"if(strlen(record) > {MAX_RECORD_BYTES}, '{{}}', record)"
    return (
        f"SELECT *, json_transform(record, '{structure(table)}') AS r FROM ("
        f"SELECT parent_id, id, hash, record AS whole, {read} AS record FROM {source})"
    )


def _field(path: str) -> str:
    return "r." + ".".join(f'"{part}"' for part in path.split("."))


def written(column: Column) -> str:
    """The column's text as the vendor wrote it: the first source that is not empty; NULL when all are."""
    options = ", ".join(f"nullif({_field(path)}, '')" for path in column.source)
    return options if len(column.source) == 1 else f"coalesce({options})"


def typed(column: Column) -> str:
    """The column's value: NULL when there is no text or the text is not of the column's kind."""
    if column.sql is not None:
        return column.sql
    if column.kind is Kind.LIST:
        return _list(column)
    if column.is_id:
        return f"coalesce({', '.join(usable_id(_field(path)) for path in column.source)})"
    return cast(written(column), column.kind)


def _list(column: Column) -> str:
    """The first source that holds anything: a list of texts, a key of a list of objects, or a text on its own."""
    whole, *others = column.source
    options = [f"list_filter({_field(whole)}, lambda one: one IS NOT NULL)"]
    for path in others:
        if "[]." in path:
            objects, key = path.split("[].")
            keys = f'list_transform({_field(objects)}, lambda one: one."{key}")'
            options.append(f"list_filter({keys}, lambda one: one IS NOT NULL)")
        else:
            options.append(f"[nullif({_field(path)}, '')]")
    # A single one may come without its list.
    path = f"'$.{whole}'"
    options.append(
        f"CASE WHEN json_type(record, {path}) IN ('VARCHAR', 'UBIGINT', 'BIGINT') "
        f"THEN [nullif(json_extract_string(record, {path}), '')] END"
    )
    if column.is_id:
        usable = usable_id("one")
        options = [f"list_transform({found}, lambda one: {usable})" for found in options]
        options = [f"list_filter({found}, lambda one: one IS NOT NULL)" for found in options]
    kept = ", ".join(f"nullif(nullif({one}, []), [NULL])" for one in options)
    return f"coalesce({kept}, [])"


def cast(text: str, kind: Kind) -> str:
    """An exact cast of a text: numbers that would be rounded, and words that are no flag, give NULL.

    Plain numbers, nearly all of them, are told by their look: comparing wide decimals costs ten times as much.
    """
    exact = f"TRY_CAST({text} AS DECIMAL(38,10))"
    match kind:
        case Kind.FLAG:
            return (
                f"CASE lower({text}) WHEN 'true' THEN true WHEN '1' THEN true WHEN 'yes' THEN true "
                "WHEN 'false' THEN false WHEN '0' THEN false WHEN 'no' THEN false END"
            )
        case Kind.INTEGER:
            return (
                f"CASE WHEN regexp_full_match({text}, '[-+]?[0-9]{{1,18}}') THEN TRY_CAST({text} AS BIGINT) "
                f"WHEN {exact} = trunc({exact}) THEN TRY_CAST({exact} AS BIGINT) END"
            )
        case Kind.DECIMAL:
            # `10%`, `$19.99` and `1,299.00` are numbers too: one of a discount must not cost a patient's whole record.
            plain = f"regexp_replace(trim({text}), '^[$]\\s*|\\s*%$', '')"
            grouped = f"regexp_full_match({plain}, '[-+]?[0-9]{{1,3}}(,[0-9]{{3}})+([.][0-9]*)?')"
            exact = f"TRY_CAST(if({grouped}, replace({plain}, ',', ''), {plain}) AS DECIMAL(38,10))"
            narrow = f"TRY_CAST({exact} AS DECIMAL(18,4))"
            return (
                f"CASE WHEN regexp_full_match({text}, '[-+]?[0-9]{{1,13}}([.][0-9]{{1,4}})?') "
                f"THEN TRY_CAST({text} AS DECIMAL(18,4)) WHEN {exact} = {narrow} THEN {narrow} END"
            )
        case Kind.INSTANT:
            return f"coalesce(TRY_CAST({text} AS TIMESTAMPTZ), TRY_CAST({_iso_spelling(text)} AS TIMESTAMPTZ))"
        case Kind.DATE:
            return f"TRY_CAST(left({text}, 10) AS DATE)"
        case _:
            return text


def _iso_spelling(text: str) -> str:
    """Other spellings of a time: a blank before the offset (`2018-03-02 13:26:02 -0500`), no seconds, a small z."""
    joined = f"regexp_replace(upper(trim({text})), '\\s+([-+][0-9]{{2}}:?[0-9]{{2}})$', '\\1')"
    return f"regexp_replace({joined}, '^(.{{10}}[T ][0-9]{{2}}:[0-9]{{2}})(Z|[-+].*)?$', '\\1:00\\2')"


def untyped_reason(table: Table) -> str:
    """An expression: which column could not be typed (never its value, which may be PHI), or NULL when all could."""
    cases = [
        f"WHEN {written(column)} IS NOT NULL AND {typed(column)} IS NULL "
        f"THEN '{column.source[0]} is not {_WORDS[column.kind]}'"
        for column in table.columns
        if column.strict and column.sql is None and column.kind in _WORDS
    ]
    key = "" if table.by_position else _UNKEYED
    return f"CASE {_UNREADABLE}{key}{' '.join(cases)} END"


# Lines of an array come with their id as it was sent.
_UNKEYED = (
    f"WHEN id IS NULL OR trim(id) = '' OR starts_with(id, '{NO_ID}') THEN 'the record has no id' "
    f"WHEN starts_with(id, '{CANNOT_BE_ASKED}') OR NOT {can_be_asked('id')} "
    f"THEN 'the record cannot be asked for: {ids.CANNOT_BE_ASKED}' "
)


_UNREADABLE = (
    f"WHEN strlen(whole) > {MAX_RECORD_BYTES} THEN 'the record is larger than {MAX_RECORD_BYTES // 2**20} MiB' "
    "WHEN NOT starts_with(record, '{') OR r.as_received[1] <> '{' THEN 'the record is not an object' "
    f"WHEN r.as_received IS NOT NULL OR id LIKE '{UNREADABLE}%' THEN 'the record holds text that is not Unicode' "
)


_WORDS = {
    Kind.FLAG: "true or false",
    Kind.INTEGER: "a whole number",
    Kind.DECIMAL: "a number with at most four decimals",
    Kind.INSTANT: "a time",
    Kind.DATE: "a date",
}


def left_over(table: Table) -> str:
    """What no column holds, as JSON, or NULL when nothing is left over: mostly, so the keys are looked at first."""
    known = table.typed_keys()
    patch = json.dumps(dict.fromkeys(known))
    keys = ", ".join(f"'{key}'" for key in known)
    left = f"nullif(json_merge_patch(record, '{patch}')::VARCHAR, '{{}}')::JSON"
    return f"CASE WHEN NOT list_has_all([{keys}], json_keys(record)) THEN {left} END"
