"""The address chooses the database, and PostgreSQL's parts are loaded for its own addresses only."""

import subprocess
import sys
from pathlib import Path

import pytest

from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import load_settings

_CODE = """
import sys
from pathlib import Path
import fullscript_pipeline.definitions
from fullscript_pipeline.state import StateStore
StateStore(Path(sys.argv[1])).close()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"psycopg2", "dagster_postgres"}))
"""


@pytest.mark.sqlite_file
def test_nothing_of_postgres_is_imported_for_a_file(tmp_path: Path) -> None:
    run = [sys.executable, "-c", _CODE, str(tmp_path / "state.sqlite")]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "[]\n"


@pytest.mark.sqlite_file
def test_an_address_of_another_kind_is_one_sentence_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULLSCRIPT_STATE_URL", "mysql://somebody:secret@host/db")
    with pytest.raises(ConfigurationError, match="FULLSCRIPT_STATE_URL is no address of a PostgreSQL") as caught:
        load_settings()
    assert "secret" not in str(caught.value)
