"""SIGKILL at any moment: no note lost that was confirmed, nobody signed in who was not."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from fullscript_pipeline.portal_store import PortalDatabase, Seal
from fullscript_pipeline.web import opened_audit
from fullscript_pipeline.web.notes import PatientNotes
from fullscript_pipeline.web.schema import TABLES, sessions
from fullscript_pipeline.web.sessions import PortalUser
from fullscript_pipeline_tests.drills.portal_kill_drill import (
    CLINIC,
    KillOutcome,
    environment_of,
    kill_while_people_work,
    portal_process,
)
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.running_portal import WEB_KEY, RunningPortal, running_portal

KILLS = int(os.environ.get("PORTAL_KILLS", "4"))


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningPortal]:
    with running_portal(tmp_path, monkeypatch, patients=6, clinics=1) as running:
        yield running


@pytest.mark.check_all
@pytest.mark.timeout(1200)
def test_a_killed_portal_loses_no_note_and_signs_nobody_in(portal: RunningPortal, tmp_path: Path) -> None:
    environment, port = environment_of(portal)
    portal.sandbox.control.change(portal_redirect_uri=f"{environment['FULLSCRIPT_WEB_URL']}/callback")
    outcome, rng = KillOutcome(), random.Random(7)
    for _ in range(KILLS):
        kill_while_people_work(portal, outcome, environment=environment, folder=tmp_path, rng=rng)
    store = portal.portal.configuration.store
    stored, open_sessions = _stored_notes(portal, store)
    assert set(outcome.confirmed) <= stored
    assert len(outcome.confirmed) > KILLS
    assert len(outcome.cookies) <= open_sessions <= outcome.sign_ins
    with portal_process(environment, port, tmp_path):
        url = environment["FULLSCRIPT_WEB_URL"]
        for cookies in outcome.cookies:
            answer = httpx.get(f"{url}/clinics/{CLINIC}/", cookies=cookies, trust_env=False)
            assert answer.status_code == 200, "a confirmed sign-in stays"
        for back in outcome.used_states[-20:]:
            assert httpx.get(back, trust_env=False).status_code == 400, "a state counts once, also after a kill"
    with opened_audit(portal.portal.configuration) as audit:
        assert audit.damage() == []
    report_promise(
        "portal killed", kills=KILLS, acked=len(outcome.confirmed), stored=len(stored),
        lost=len(set(outcome.confirmed) - stored), sign_ins=outcome.sign_ins, sessions=open_sessions,
    )  # fmt: skip


def _stored_notes(portal: RunningPortal, store: Path) -> tuple[set[str], int]:
    database = PortalDatabase(store, TABLES)
    notes = PatientNotes(database, Seal([WEB_KEY]), portal.clock)
    server, clinic_id = (portal.sandbox.clinics[CLINIC][name] for name in ("server", "clinic_id"))
    user = PortalUser(server=server, clinic_id=clinic_id, clinic_key=CLINIC, user_id="", user_type="", name="")
    texts = {note.text for patient in portal.patients[CLINIC] for note in notes.of_patient(user, patient)}
    with database.read() as connection:
        count = connection.execute(select(func.count()).select_from(sessions)).scalar_one()
    database.close()
    return texts, count
