"""Promise 44 in full: ten clinics, ten browsers each, 10,000 requests with ids of others."""

import time
from pathlib import Path

import pytest

from fullscript_pipeline_tests.drills.promise_line import report_promise
from fullscript_pipeline_tests.helpers.crossed_requests import send_crossed_requests
from fullscript_pipeline_tests.helpers.running_portal import running_portal

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
# The seven users of a sandbox's clinic; three of them have two browsers.
USERS = ("", "practitioner-2", "practitioner-3", "practitioner-4", "staff-1", "staff-2", "staff-3")
BROWSERS = (*USERS, "", "practitioner-2", "staff-1")
_REQUESTS = 10_000


def test_ten_clinics_see_only_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with running_portal(tmp_path, monkeypatch, patients=12, clinics=10, assigned_patients_only=True) as portal:
        slugs = list(portal.keys)
        outcome = send_crossed_requests(portal, slugs, BROWSERS, requests=_REQUESTS, seed=1)
        assert portal.portal.audit.damage() == []
    report_promise(
        "promise 44", requests=_REQUESTS, foreign=outcome.foreign, refused=outcome.refused,
        recorded=outcome.recorded, seconds=time.monotonic() - began,
    )  # fmt: skip
    assert (outcome.foreign, outcome.recorded) == (0, outcome.refused)
    assert outcome.refused > _REQUESTS // 2
