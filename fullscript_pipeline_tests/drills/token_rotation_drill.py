"""Promises 11 to 13: rotation under many processes, SIGKILLs and lost answers, with any numbers.

What does not belong here: how many (the tests say).
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from fullscript_pipeline.api import ClinicRef, open_session
from fullscript_pipeline.api.http import HttpClient, HttpRequest, HttpResponse
from fullscript_pipeline.settings import Settings
from fullscript_pipeline.state import StateStore
from fullscript_pipeline.state.token_store import GrantRecords
from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.drills.worker_group import crew
from fullscript_pipeline_tests.helpers.connected_clinic import connected, environment, token_calls
from fullscript_pipeline_tests.helpers.sandbox_server import RunningSandbox

_TOKEN = "oauth/token"
_KEY = {"FULLSCRIPT_ENCRYPTION_KEY": "a key"}  # the one that `connected` uses


def a_single_refresh_per_expiry(
    folder: Path, *, processes: int, threads: int, expiries: int, state_url: str = ""
) -> None:
    """Promise 11: however many ask at the same moment, an expiry costs exactly one refresh.

    With `state_url` each process has a data directory of its own, as on a machine of its own.
    """
    started = time.monotonic()
    with connected(folder, state_url=state_url) as (sandbox, settings, _store, _clinic):
        variables = {**environment(sandbox, settings.data_dir), **_KEY}
        calls = threads
        with crew(processes, ["rounds", threads, calls], variables, state_url=state_url) as workers:
            sandbox.control.reset_requests()
            answered = 0
            for _ in range(expiries):
                sandbox.control.expire_tokens()
                workers.order()
                answered += sum(map(int, workers.answers()))
            calls_made = token_calls(sandbox)
    refreshes, refused = calls_made.pop(200, 0), sum(calls_made.values())
    report_promise(
        "promise 11", processes=processes, threads=threads, expiries=expiries, answered=answered,
        refreshes=refreshes, invalid_grant=refused, seconds=time.monotonic() - started,
    )  # fmt: skip
    assert answered == processes * calls * expiries
    assert (refreshes, refused) == (expiries, 0)


def _replace(owner: type, method: str, by: Callable[..., Any]) -> None:
    """For the rest of this process's short life."""
    setattr(owner, method, by)


def _suicide(*_: object, **__: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying_send(before: bool, is_token: bool) -> Callable[[HttpClient, HttpRequest], HttpResponse]:
    send = HttpClient.send

    def dying(client: HttpClient, ask: HttpRequest) -> HttpResponse:
        mine = (ask.endpoint == _TOKEN) == is_token
        if mine and before:
            _suicide()
        answer = send(client, ask)
        # "First use" is the first answer that is not a refusal of the token before.
        if mine and answer.status < 400:
            _suicide()
        return answer

    return dying


def _die_before_post() -> None:
    _replace(HttpClient, "send", _dying_send(before=True, is_token=True))


def _die_after_the_server_committed() -> None:
    _replace(HttpClient, "send", _dying_send(before=False, is_token=True))


def _die_before_our_write() -> None:
    _replace(GrantRecords, "save_grant", _suicide)


def _die_after_our_write() -> None:
    save = GrantRecords.save_grant

    def dying(self: GrantRecords, *args: Any, **named: Any) -> bool:
        save(self, *args, **named)
        return bool(_suicide())

    _replace(GrantRecords, "save_grant", dying)


def _die_before_first_use() -> None:
    save = GrantRecords.save_grant

    def then_dying(self: GrantRecords, *args: Any, **named: Any) -> bool:
        saved = save(self, *args, **named)
        _replace(HttpClient, "send", _dying_send(before=True, is_token=False))
        return saved

    _replace(GrantRecords, "save_grant", then_dying)


def _die_after_first_use() -> None:
    _replace(HttpClient, "send", _dying_send(before=False, is_token=False))


CRASH_POINTS: dict[str, Callable[[], None]] = {
    "before the POST": _die_before_post,
    "after the server's commit": _die_after_the_server_committed,
    "before our write": _die_before_our_write,
    "after our write": _die_after_our_write,
    "before the first use": _die_before_first_use,
    "after the first use": _die_after_first_use,
}


def _doomed(settings: Settings, clinic: ClinicRef, point: str) -> None:
    """In a process of its own: one call, which does not survive `point`."""
    CRASH_POINTS[point]()
    with (
        StateStore.open(settings) as store,
        open_session(settings, store, clinic) as session,
    ):
        session.fetch_object("clinic")


def kills_cost_no_sign_in(folder: Path, *, kills: int, seed: int = 4) -> None:
    """Promise 12: SIGKILL at each point in turn, some of them one after the other; the next session just works."""
    started = time.monotonic()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    points, rng = list(CRASH_POINTS), Random(seed)
    recovered = 0
    with connected(folder) as (sandbox, settings, store, clinic):
        sandbox.control.reset_requests()
        for number in range(kills):
            sandbox.control.expire_tokens()
            doomed = context.Process(target=_doomed, args=(settings, clinic, points[number % len(points)]))
            doomed.start()
            doomed.join(30)
            assert doomed.exitcode == -signal.SIGKILL, points[number % len(points)]
            if rng.random() < 0.7 or number == kills - 1:  # else the next one dies on top of it
                _works(settings, clinic)
                recovered += 1
        calls = token_calls(sandbox)
        status = store.clinics.all()[0].status
    refreshes, refused = calls.pop(200, 0), sum(calls.values())
    report_promise(
        "promise 12", kills=kills, points=len(points), recovered=recovered, refreshes=refreshes, invalid_grant=refused,
        sign_ins=int(status != "ok"), seconds=time.monotonic() - started,
    )  # fmt: skip
    assert (refused, status) == (0, "ok")


def _works(settings: Settings, clinic: ClinicRef) -> None:
    with (
        StateStore.open(settings) as store,
        open_session(settings, store, clinic) as session,
    ):
        assert session.fetch_object("clinic").record["id"] == clinic.clinic_id


def lost_answers_are_recovered(folder: Path, *, answers: int) -> None:
    """Promise 13: the server commits the new pair, then drops the connection; the old refresh token gets another."""
    started = time.monotonic()
    with connected(folder) as (sandbox, settings, store, clinic), open_session(settings, store, clinic) as session:
        sandbox.control.reset_requests()
        recovered = 0
        for _ in range(answers):
            sandbox.control.expire_tokens()
            sandbox.control.arm("commit_then_drop", endpoint="/oauth/token")
            recovered += session.fetch_object("clinic").record["id"] == clinic.clinic_id
            lost = _struck(sandbox)
            sandbox.control.disarm()
            assert lost == 1
        calls = token_calls(sandbox)
    refused = sum(number for status, number in calls.items() if status >= 400)
    report_promise(
        "promise 13", lost_answers=answers, recovered=recovered, token_calls=sum(calls.values()),
        invalid_grant=refused, seconds=time.monotonic() - started,
    )  # fmt: skip
    assert (recovered, refused) == (answers, 0)


def _struck(sandbox: RunningSandbox) -> int:
    return sum(int(rule["fired"]) for rule in sandbox.control.faults()["armed"])
