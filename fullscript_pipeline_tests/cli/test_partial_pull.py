"""`pull --only` of a table of the catalog: it is compared, and held, as after a whole pull."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from fullscript_pipeline import clock
from fullscript_pipeline.cli.main import main
from fullscript_pipeline.maintenance.warehouse_factory import open_warehouse
from fullscript_pipeline.reports import ReportStore
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline


@pytest.mark.check_all
def test_a_pull_of_products_alone_is_held_when_most_of_them_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def pull(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["fullscript-pipeline", "pull", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(stopped.value.code or 0)

    with connected_pipeline(tmp_path, clinics=1, world_clinics=1, patients=6, products=30) as connected:
        control = connected.sandbox.control
        assert pull() == 0
        control.advance(days=1)
        connected.set_clock()
        today = clock.today(connected.settings.time_zone)
        page = ReportStore(connected.settings.reports_dir).path_for_digest("us", today)
        assert pull("--only", "products") == 0
        assert "Held:" not in page.read_text(encoding="utf-8")
        control.arm("not_found", endpoint="/catalog/products/*", count=None)
        control.arm("not_found", endpoint="*/categories/*", count=None)
        capfd.readouterr()
        codes = []
        for hours in (1, 3):
            os.environ["FULLSCRIPT_NOW"] = (clock.now() + timedelta(hours=hours)).isoformat()
            codes.append(pull("--only", "products"))
        assert codes == [0, 1], "one 404 proves nothing; two do, and all at once is held"
        said = capfd.readouterr().err
        assert f"The catalog digest of us, {today}, is held" in said
        assert "products (" in said and "are gone at once" in said
        assert "Held:" in page.read_text(encoding="utf-8")
        with open_warehouse(connected.settings).read() as con:
            held = con.execute("SELECT day, held IS NOT NULL FROM marts.catalog_digests ORDER BY day").fetchall()
        assert held[-1] == (today, True)
