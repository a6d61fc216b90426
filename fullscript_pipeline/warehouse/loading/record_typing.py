"""SQL that turns a record's JSON text into typed columns, and finds the records that cannot be typed.

`json_transform` reads the record once into a struct of text; each column is then cast on its own (`casts`). A value
that cannot be typed, or is rounded, is thus detected: if a figure needs it (`strict`), its record goes to quarantine;
otherwise its key is recorded and its text is kept. What does not belong here: inserting, comparing, history.
"""

import json
from collections.abc import Iterable
from typing import Any

from fullscript_pipeline import ids
from fullscript_pipeline.resources.types import Column, Kind, Table, casts
from fullscript_pipeline.resources.types.id_sql import is_requestable, usable_id, usable_ids
from fullscript_pipeline.warehouse.landing import AS_RECEIVED, NO_ID, UNREADABLE, UNREQUESTABLE

# A larger record is more likely a fault than an object, and would need the memory of a whole batch.
MAX_RECORD_BYTES = 2 * 2**20


def json_structure(table: Table) -> str:
    """The argument of `json_transform`: every source path, with all leaves as text."""
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
    # A record that could not be landed as JSON is stored as text under this key.
    return json.dumps({**tree, AS_RECEIVED: "VARCHAR"})


def parsed_records(table: Table, source: str) -> str:
    """Selects the rows of `source` (parent_id, id, hash, record), each with its record as the struct `r`.

    A record that is too large appears as `whole` only: parsing it would need the memory of all others.
    """
    read = f"if(strlen(record) > {MAX_RECORD_BYTES}, '{{}}', record)"
    return (
        f"SELECT *, json_transform(record, '{json_structure(table)}') AS r FROM ("
        f"SELECT parent_id, id, hash, record AS whole, {read} AS record FROM {source})"
    )


def _field(path: str) -> str:
    return "r." + ".".join(f'"{part}"' for part in path.split("."))


def source_text(column: Column) -> str:
    """The column's text as the vendor wrote it: the first source that is not empty, or NULL."""
    options = [f"nullif({_field(path)}, '')" for path in column.source]
    if column.kind in {Kind.INSTANT, Kind.DATE}:
        options = [f"CASE WHEN NOT {casts.is_no_date(_field(path))} THEN {_field(path)} END" for path in column.source]
    return options[0] if len(options) == 1 else f"coalesce({', '.join(options)})"


def typed_value(column: Column) -> str:
    """The column's value; NULL if there is no text, or the text is not of the column's kind."""
    if column.sql is not None:
        return column.sql
    if column.kind is Kind.LIST:
        return _list_value(column)
    if column.is_id:
        return f"coalesce({', '.join(usable_id(_field(path)) for path in column.source)})"
    return casts.cast(source_text(column), column)


def _list_value(column: Column) -> str:
    """The first source that is not empty: a list of texts, a key of a list of objects, or a single text."""
    list_path, *others = column.source
    options = [f"list_filter({_field(list_path)}, lambda text: text IS NOT NULL)"]
    for path in others:
        if "[]." in path:
            objects, key = path.split("[].")
            keys = f'list_transform({_field(objects)}, lambda object: object."{key}")'
            options.append(f"list_filter({keys}, lambda text: text IS NOT NULL)")
        else:
            options.append(f"[nullif({_field(path)}, '')]")
    # A single text may arrive without a list.
    path = f"'$.{list_path}'"
    options.append(
        f"CASE WHEN json_type(record, {path}) IN ('VARCHAR', 'UBIGINT', 'BIGINT') "
        f"THEN [nullif(json_extract_string(record, {path}), '')] END"
    )
    filled = ", ".join(f"nullif(nullif({option}, []), [NULL])" for option in options)
    first_filled = f"coalesce({filled}, [])"
    return usable_ids(first_filled) if column.is_id else first_filled


def untyped_reason(table: Table, values: str = "") -> str:
    """An expression for the column that could not be typed (never its value, which may be PHI); NULL if all could.

    `values`: the prefix of the columns that hold the typed values already; '': the values are typed here.
    """
    cases = [
        f"WHEN {_is_untyped(column, values)} THEN '{column.source[0]} is not {_WORDS[column.kind]}'"
        for column in table.columns
        if column.strict and column.sql is None and column.kind in _WORDS
    ]
    key = "" if table.by_position else _UNKEYED
    return f"CASE {_UNREADABLE}{key}{' '.join(cases)} END"


# Lines of an array have their id as the server sent it.
_UNKEYED = (
    f"WHEN id IS NULL OR trim(id) = '' OR starts_with(id, '{NO_ID}') THEN 'the record has no id' "
    f"WHEN starts_with(id, '{UNREQUESTABLE}') OR NOT {is_requestable('id')} "
    f"THEN 'the record cannot be asked for: {ids.UNREQUESTABLE}' "
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


def untyped(table: Table, values: str = "") -> str:
    """An expression for the keys whose values could not be typed, separated by blanks; '' if all could.

    Only these columns are NULL: the record is loaded, and `unmapped_json` keeps the text. `values`: as in
    `untyped_reason`.
    """
    return _keys_where((column, _is_lost(column, values)) for column in table.columns if reports_untyped(column))


def rounded(table: Table) -> str:
    """As `untyped`, for the keys whose numbers have more decimals than their columns."""
    return _keys_where(
        (column, casts.is_rounded(source_text(column)))
        for column in table.columns
        if reports_untyped(column) and column.kind is Kind.DECIMAL and not column.exact
    )


def _keys_where(conditions: Iterable[tuple[Column, str]]) -> str:
    cases = [f"CASE WHEN {condition} THEN '{' '.join(_keys(column))}' END" for column, condition in conditions]
    return f"concat_ws(' ', {', '.join(cases)})" if cases else "''"


def reports_untyped(column: Column) -> bool:
    """Whether a value of the column that cannot be typed is recorded."""
    return column.sql is None and (column.kind in _WORDS or column.kind is Kind.LIST or column.is_id)


def _keys(column: Column) -> list[str]:
    """The top-level keys of the record that the column reads; a nested value is kept with its outer key."""
    return [path for path in column.source if "." not in path] or [column.source[0].partition(".")[0]]


def _is_lost(column: Column, values: str) -> str:
    """Whether a value was sent that the column does not hold; also a date that means no date."""
    if column.kind not in {Kind.INSTANT, Kind.DATE}:
        return _is_untyped(column, values)
    value = f"{values}{column.name}" if values else typed_value(column)
    sent = ", ".join(f"nullif({_field(path)}, '')" for path in column.source)
    return f"({value} IS NULL AND coalesce({sent}) IS NOT NULL)"


def _is_untyped(column: Column, values: str) -> str:
    value = f"{values}{column.name}" if values else typed_value(column)
    if column.kind is not Kind.LIST:
        return f"({value} IS NULL AND {source_text(column)} IS NOT NULL)"
    key = column.source[0]
    kind = f"json_type(record, '$.{key}')"
    lost = f"{kind} IN ('OBJECT', 'BOOLEAN', 'DOUBLE')"
    if not column.is_id:
        return lost
    single = f"{kind} = 'VARCHAR' AND len({value}) = 0 AND json_extract_string(record, '$.{key}') <> ''"
    return f"({lost} OR len({_field(key)}) > len({value}) OR {single})"


def unmapped_json(table: Table, *, keep_untyped: bool = False) -> str:
    """The members of a record that no column holds, as JSON; NULL if there are none (usual, so keys are compared
    first).

    `keep_untyped`: for a row with `untyped` and `rounded`, whose keys are kept as they were sent.
    """
    known = table.typed_keys()
    patch = json.dumps(dict.fromkeys(known))
    keys = ", ".join(f"'{key}'" for key in known)
    left = f"nullif(json_merge_patch(record, '{patch}')::VARCHAR, '{{}}')::JSON"
    plain = f"CASE WHEN NOT list_has_all([{keys}], json_keys(record)) THEN {left} END"
    if not keep_untyped:
        return plain
    gone = f"list_filter([{keys}], lambda key: NOT list_contains(string_split(untyped || ' ' || rounded, ' '), key))"
    fewer = f"'{{' || array_to_string(list_transform({gone}, lambda key: '\"' || key || '\":null'), ',') || '}}'"
    return f"CASE WHEN untyped = '' AND rounded = '' THEN {plain} ELSE json_merge_patch(record, {fewer}) END"
