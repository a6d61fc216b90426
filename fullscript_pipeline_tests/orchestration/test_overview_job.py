"""What operators see is written by a job of its own, sealed where pages are, and names no person."""

from pathlib import Path

import dagster as dg
import pytest

from fullscript_pipeline.files import open_files
from fullscript_pipeline.orchestration.automation.overview_job import operators_overview_schedule
from fullscript_pipeline.orchestration.runtime.in_process_runs import run_job
from fullscript_pipeline.orchestration.runtime.instance import open_instance
from fullscript_pipeline.orchestration.runtime.resources import make_resources
from fullscript_pipeline.portal_store import PageSeal
from fullscript_pipeline.settings import load_settings
from fullscript_pipeline.web.operators_file import read_overview
from fullscript_pipeline_tests.helpers.pipeline import connected_pipeline

KEY = "gcQ3jmdbTf1VXkPVGB4oqUS0kPq0u4dWFhXf0cQhXkE"


def test_the_portal_reads_what_the_job_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected_pipeline(tmp_path, clinics=1, patients=5) as connected:
        monkeypatch.setenv("FULLSCRIPT_WEB_KEY", KEY)
        monkeypatch.setenv("FULLSCRIPT_PAGES", "sealed")
        with open_instance(load_settings()) as instance:
            assert run_job(instance, "operators_overview").failures == ()
        file = connected.settings.reports_dir / "operators.json"
        overview = read_overview(open_files(connected.settings, "reports"), PageSeal([KEY]))
        clinic = connected.store.clinics.all()[0]
        assert clinic.clinic_key.encode() not in file.read_bytes(), "it is sealed"
        assert file.stat().st_mode & 0o077 == 0
        assert overview is not None
        assert [(row.clinic_key, row.status, row.pulled_at) for row in overview.clinics] == [
            (clinic.clinic_key, "ok", None)
        ]
        assert [row.region for row in overview.catalogs] == [clinic.region]
        found = {finding.id: finding.state for finding in overview.findings}
        assert found[f"clinic.{clinic.clinic_key}.token"] == "pass" and found["state.store"] == "pass"


@pytest.mark.parametrize("issuer", ["", "https://provider.example"])
def test_it_is_requested_where_operators_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    monkeypatch.setenv("FULLSCRIPT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FULLSCRIPT_WEB_OIDC_ISSUER", issuer)
    with dg.build_schedule_context(resources=make_resources(load_settings)) as context:
        asked = operators_overview_schedule(context, context.resources.state)
    assert isinstance(asked, dg.RunRequest) == bool(issuer)
