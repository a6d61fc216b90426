"""For how many days landed pages are kept: 90 in a new data directory, for ever in one that is there, or as set."""

from pathlib import Path

import pytest

from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.state import StateStore, landing_days


@pytest.mark.parametrize(
    ("is_new", "setting", "days"), [(True, None, 90), (False, None, 0), (True, "0", 0), (False, "30", 30)]
)
def test_a_directory_of_an_earlier_version_keeps_everything_until_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool, setting: str | None, days: int
) -> None:
    if setting:
        monkeypatch.setenv("FULLSCRIPT_KEEP_LANDING_DAYS", setting)
    with StateStore(tmp_path / "state.sqlite") as store:
        if not is_new:
            with store.db.write() as connection:
                connection.exec_driver_sql("DELETE FROM facts WHERE name = 'made_with_landing_retention'")
        assert landing_days(load_settings(), store.facts) == days
