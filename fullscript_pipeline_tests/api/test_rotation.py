"""One case of each of the sessions' promises across processes: refreshes, SIGKILLs, lost answers, dead grants.

The harness is that of `make soak`, with small numbers.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from fullscript_pipeline.api import ClinicRef, open_session
from fullscript_pipeline.errors import NeedsConnect, PipelineError
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline_tests.drills import token_rotation_drill
from fullscript_pipeline_tests.helpers.connected_clinic import connect, connected, token_calls


def test_processes_share_each_refresh(tmp_path: Path) -> None:
    token_rotation_drill.a_single_refresh_per_expiry(tmp_path, processes=2, threads=4, expiries=3)


def test_a_kill_at_each_step_of_the_protocol_costs_no_sign_in(tmp_path: Path) -> None:
    token_rotation_drill.kills_cost_no_sign_in(tmp_path, kills=len(token_rotation_drill.CRASH_POINTS))


def test_a_lost_response_is_requested_again(tmp_path: Path) -> None:
    token_rotation_drill.lost_answers_are_recovered(tmp_path, answers=1)


def _ask(settings: Settings, clinic: ClinicRef) -> int:
    """What a run of its own comes to: 0, or the exit code."""
    with (
        StateStore.open(settings) as store,
        open_session(settings, store, clinic) as session,
    ):
        try:
            session.fetch_object("clinic")
        except PipelineError as error:
            return error.exit_code
    return 0


@pytest.mark.parametrize(
    ("what", "code", "status"),
    [
        ("revoked", 77, "needs_connect"),
        ("http_500", 69, "ok"),
        ("html_200", 69, "ok"),
        ("reset_mid_body", 69, "ok"),
    ],
)
def test_whatever_is_wrong_with_a_grant_costs_two_token_calls_and_the_others_go_on(
    tmp_path: Path, what: str, code: int, status: str
) -> None:
    """A server that fails is no dead grant: nothing is marked, nobody is sent to sign in, and it recovers by itself."""
    with connected(tmp_path) as (sandbox, settings, store, clinic):
        sick, healthy = list(sandbox.clinics)[:2]
        other = connect(settings, store, sandbox, healthy)
        if what == "revoked":
            sandbox.control.revoke(sick)
        else:
            sandbox.control.expire_tokens()
            assert _ask(settings, other) == 0  # renewed before the trouble begins
            sandbox.control.arm(what, endpoint="/oauth/token", count=None)
        sandbox.control.reset_requests()
        assert {_ask(settings, clinic) for _ in range(5)} == {code}
        assert _ask(settings, other) == 0
        assert sum(token_calls(sandbox).values()) <= 2
        found = {one.clinic_id: one.status for one in store.clinics.all()}
        assert found == {clinic.clinic_id: status, other.clinic_id: "ok"}
        if status == "ok":
            sandbox.control.disarm()
            with store.db.write() as connection:
                connection.exec_driver_sql("UPDATE token_failures SET failed_s = failed_s - 60")
            assert _ask(settings, clinic) == 0


def test_the_user_who_sees_most_is_used_and_the_other_is_the_fallback(tmp_path: Path) -> None:
    with connected(tmp_path, assigned_patients_only=True) as (sandbox, settings, store, clinic):
        slug = next(iter(sandbox.clinics))
        owner = store.tokens.load_grant(clinic)
        connect(settings, store, sandbox, slug, "practitioner-2")
        grants = store.tokens.grants(clinic)
        assert owner is not None
        assert len(grants) == 2
        assert store.tokens.load_grant(clinic) == owner, "the owner sees every patient, the other only those assigned"
        ruined = replace(owner, access_token="gone", refresh_token="gone")
        assert store.tokens.save_grant(clinic, ruined, expected_generation=owner.generation)
        sandbox.control.reset_requests()
        assert _ask(settings, clinic) == 0
        assert token_calls(sandbox) == {400: 1}
        assert store.clinics.all()[0].status == "ok"
        sandbox.control.revoke(slug)
        with open_session(settings, store, clinic) as session, pytest.raises(NeedsConnect):
            session.fetch_object("clinic")
        assert store.clinics.all()[0].status == "needs_connect"
