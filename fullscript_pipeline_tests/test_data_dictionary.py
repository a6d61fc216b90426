"""The data dictionary tells of every column there is, and of none that there is not."""

from fullscript_pipeline_tests.helpers.data_dictionary import FILE, MEANINGS, OBJECTS, tables, text


def test_the_dictionary_is_made_from_the_tables() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run `make dictionary`"


def test_every_meaning_is_of_a_table_and_column_that_exists() -> None:
    found = {name: {column for column, _ in columns} for name, columns in tables().items()}
    assert found.keys() == MEANINGS.keys() - {"every"}
    for name, columns in found.items():
        assert MEANINGS[name].keys() - columns == {"is", "phi"}, name
        assert MEANINGS[name]["phi"] in {"patient", "personal", "no"}, name


def test_every_described_object_is_one_of_a_table() -> None:
    assert {f"core.{name}" for name in OBJECTS} <= tables().keys()
