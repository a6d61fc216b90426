"""The documents of the settings are made from their declarations, and nothing reads a variable that is none of them."""

import os
import re
from pathlib import Path

import pytest

from fullscript_pipeline.secret_variables import is_secret
from fullscript_pipeline.settings import declared_settings, load_settings, unknown_variables
from fullscript_pipeline_tests.helpers.settings_docs import EXAMPLE, OPERATIONS, env_example, with_settings_table

ROOT = Path(__file__).parents[1]


def test_the_documents_are_made_from_the_declarations() -> None:
    document = OPERATIONS.read_text(encoding="utf-8")
    assert document == with_settings_table(document), "run `make settings-docs`"
    assert EXAMPLE.read_text(encoding="utf-8") == env_example(), "run `make settings-docs`"


def test_every_setting_has_a_text_and_no_secret_has_a_default() -> None:
    for setting in declared_settings().values():
        assert setting.text, setting.variable
        assert is_secret(setting.variable) <= setting.is_secret, f"{setting.variable} would be shown"


def test_the_example_with_every_line_set_is_a_file_that_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The defaults that the documents show are values that the settings take."""
    for name in declared_settings():
        monkeypatch.setenv(name, "")  # so that what the file sets is taken back at the end
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    before = load_settings()
    dotenv = tmp_path / ".env"
    dotenv.touch(mode=0o600)
    dotenv.write_text(re.sub(r"^#(FULLSCRIPT_\w+=)", r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    after = load_settings()
    assert set(os.environ) >= set(declared_settings())
    assert after == before


def test_a_name_that_is_no_setting_is_found_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FULLSCRIPT_")]:
        monkeypatch.delenv(name)
    for name in ("FULLSCRIPT_SWEEPS_DAYS", "FULLSCRIPT_QQQQ", "FULLSCRIPT_SWEEP_DAYS", "FULLSCRIPT_CA_SND_CLIENT_ID"):
        monkeypatch.setenv(name, "1")
    assert unknown_variables() == {"FULLSCRIPT_QQQQ": None, "FULLSCRIPT_SWEEPS_DAYS": "FULLSCRIPT_SWEEP_DAYS"}


def test_no_code_names_a_variable_that_is_not_declared() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "fullscript_pipeline").rglob("*.py"))
    named = set(re.findall(r"FULLSCRIPT_[A-Z0-9_]+[A-Z0-9](?![A-Z0-9_])", code))
    assert named <= declared_settings().keys()
