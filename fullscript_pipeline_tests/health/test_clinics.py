"""Clinics and servers as `doctor` sees them: tokens, scopes, clocks, and clinics that are disconnected or lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from fullscript_pipeline.api import open_session
from fullscript_pipeline.api.errors import AppRefused
from fullscript_pipeline.cli.clinic_selection import no_clinic_message
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.health import exit_code
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.helpers.connected_clinic import connect, settings_for
from fullscript_pipeline_tests.helpers.free_ports import free_redirect_uri
from fullscript_pipeline_tests.helpers.healthy_setup import Ready, findings_by_id, with_late_pull, with_server
from fullscript_pipeline_tests.helpers.sandbox_server import running_sandbox
from fullscript_pipeline_tests.helpers.stub_server import Reply, odd_server


def test_a_warehouse_whose_state_store_is_lost_is_not_healthy(ready: Ready) -> None:
    settings = ready[1]
    settings.state_path.unlink()
    found = findings_by_id(settings)
    assert (found["clinics.connected"].state, exit_code(list(found.values()))) == ("fail", 77)
    assert "restore" in str(found["clinics.connected"].fix)


def test_after_a_disconnect_of_all_nothing_is_lost_and_no_run_waits(ready: Ready) -> None:
    settings = ready[1]
    with StateStore.open(settings) as store:
        store.clinics.remove(ready[2])
    found = findings_by_id(settings)["clinics.connected"]
    assert (found.state, found.exit_code, found.what) == ("fail", 77, "every clinic was disconnected")


def test_after_a_purge_of_the_last_clinic_nothing_is_called_lost(ready: Ready) -> None:
    settings = ready[1]
    with StateStore.open(settings) as store:
        with store.db.write() as connection:
            connection.exec_driver_sql("DELETE FROM clinics")
        assert "lost" not in no_clinic_message(settings.data_dir, store)
    found = findings_by_id(settings)["clinics.connected"]
    assert (found.state, found.exit_code, found.what) == ("fail", 77, "every clinic was purged")


def test_a_server_that_names_no_scopes_withholds_none(ready: Ready) -> None:
    settings, clinic = ready[1], ready[2]
    with StateStore.open(settings) as store:
        grant = store.tokens.load_grant(clinic)
        assert grant is not None
        store.tokens.save_grant(clinic, replace(grant, scopes=()))
    found = findings_by_id(settings)[f"clinic.{clinic.clinic_key}.scopes"]
    assert (found.state, "does not report the token's scopes" in found.what) == ("pass", True)


def test_a_clinic_that_needs_a_connect_is_77(ready: Ready) -> None:
    sandbox, settings, clinic = ready
    sandbox.control.revoke(next(iter(sandbox.clinics)))
    with (
        StateStore.open(settings) as store,
        open_session(settings, store, clinic) as session,
        pytest.raises(NeedsConnect),
    ):
        session.fetch_object("clinic")
    with_late_pull(settings)
    found = findings_by_id(settings)
    token = found[f"clinic.{clinic.clinic_key}.token"]
    assert (token.state, token.exit_code) == ("fail", 77)
    assert "connect us-snd" in str(token.fix)
    assert found[f"clinic.{clinic.clinic_key}.scopes"].state == "skip"
    assert exit_code(list(found.values())) == 77  # before the 1 of the late pull


def test_an_app_that_the_server_does_not_accept_is_a_setting_and_is_tried_again_at_once(ready: Ready) -> None:
    sandbox, settings, clinic = ready
    sandbox.control.arm("unauthorized", endpoint="/oauth/token", count=None)
    sandbox.control.arm("unauthorized", endpoint="/clinic", count=1)
    with (
        StateStore.open(settings) as store,
        open_session(settings, store, clinic) as session,
    ):
        with pytest.raises(AppRefused):
            session.fetch_object("clinic")
        found = findings_by_id(settings)[f"clinic.{clinic.clinic_key}.token"]
        assert (found.state, found.exit_code) == ("fail", 78)
        assert "FULLSCRIPT_US_SND_CLIENT_SECRET" in str(found.fix)
        sandbox.control.disarm()
        sandbox.control.arm("unauthorized", endpoint="/clinic", count=1)
        session.fetch_object("clinic")
    assert findings_by_id(settings)[found.id].state == "pass"


def test_a_missing_scope_says_what_it_costs(tmp_path: Path) -> None:
    scopes = "catalog:read clinic:read clinic:write patients:read patients:treatment_plan_history"
    with (
        running_sandbox(tmp_path / "sandbox", redirect_uri=free_redirect_uri(), scopes=scopes) as sandbox,
        settings_for(sandbox, tmp_path / "data") as settings,
    ):
        with StateStore(settings.state_path) as store:
            clinic = connect(settings, store, sandbox, next(iter(sandbox.clinics)))
        found = findings_by_id(settings)
    one = found[f"clinic.{clinic.clinic_key}.scopes"]
    assert one.state == "fail"
    assert "no patients:order_history: orders, labs and adherence stay empty" in one.what
    assert found["files.volume"].state == "skip"  # only a sandbox's data, in plain files


@pytest.mark.parametrize(
    ("date", "words"), [("Mon, 01 Jan 2024 00:00:00 GMT", "behind ours"), ("nonsense", "has no Date")]
)
def test_a_clock_that_is_off_and_an_answer_without_a_date(ready: Ready, date: str, words: str) -> None:
    with odd_server([Reply(401, headers={"Date": date})]) as server:
        one = findings_by_id(with_server(ready[1], "us-snd", api_url=server.url))["server.us-snd.clock"]
    assert one.state == "fail"
    assert words in one.what
    assert "authorization" not in server.requests[0].headers
