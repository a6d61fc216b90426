"""`clinics --users`, `disconnect`, `purge --disconnect` where the server does not confirm: what they print."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from fullscript_pipeline_tests.helpers.command_runs import Run
from fullscript_pipeline_tests.helpers.pipeline import Connected, connected_pipeline, environment


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Connected]:
    with connected_pipeline(tmp_path / "world", clinics=2, patients=5, products=10) as connected:
        yield connected


def _variables(two: Connected) -> dict[str, str]:
    variables = environment(two.sandbox, two.settings.data_dir, two.settings.redirect_uri)
    return {name: value for name, value in variables.items() if name != "FULLSCRIPT_DATA_DIR"}


def test_what_is_kept_is_told_by_every_command_and_gone_when_the_server_confirms(two: Connected, run: Run) -> None:
    data, variables = two.settings.data_dir, _variables(two)
    first, second = [clinic.clinic_key for clinic in two.store.clinics.all()]
    two.sandbox.control.arm("invalid_client", endpoint="/oauth/revoke", count=None)
    done = run("disconnect", "--all", data=data, **variables)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.count("not used any more and kept to be revoked") == 2
    listed = run("clinics", "--users", "--json", data=data, **variables)
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(row["clinic_key"], row["status"], row["used"]) for row in rows] == [
        (first, "to_be_revoked", ""),
        (second, "to_be_revoked", ""),
    ]
    told = run("clinics", data=data, **variables)
    assert told.returncode == 0
    assert f"has not confirmed that the access of user {rows[0]['user_id']} is revoked" in told.stderr
    assert f"clinic.{first}.revoked" in run("doctor", data=data, **variables).stdout
    two.sandbox.control.disarm()
    assert run("disconnect", second, data=data, **variables).returncode == 0
    assert run("disconnect", "--all", data=data, **variables).returncode == 0
    assert run("clinics", "--users", "--json", data=data, **variables).stdout == ""
    assert run("disconnect", first, data=data, **variables).returncode == 2


def test_one_user_is_listed_and_disconnected(two: Connected, run: Run) -> None:
    data, variables = two.settings.data_dir, _variables(two)
    key = two.store.clinics.all()[0].clinic_key
    (user,) = two.store.revocations.users(two.store.clinics.find(key))
    listed = run("clinics", "--users", data=data, **variables)
    assert listed.returncode == 0
    assert user.user_id in listed.stdout
    refused = run("disconnect", key, "--user", "nobody", data=data, **variables)
    assert refused.returncode == 2
    assert user.user_id in refused.stderr
    assert run("disconnect", "--all", "--user", "x", data=data, **variables).returncode == 2
    assert run("disconnect", key, "--user", user.user_id, data=data, **variables).returncode == 0
    assert [clinic.clinic_key for clinic in two.store.clinics.all()] != [key]


def test_what_can_never_be_confirmed_is_given_up_on_purpose(two: Connected, run: Run) -> None:
    data, variables = two.settings.data_dir, _variables(two)
    clinic = two.store.clinics.all()[0]
    early = run("disconnect", clinic.clinic_key, "--give-up", data=data, **variables)
    assert early.returncode == 2
    assert "nothing to give up" in early.stderr
    assert [user.status for user in two.store.revocations.users(clinic)] == ["ok"]
    two.sandbox.control.arm("invalid_client", endpoint="/oauth/revoke", count=None)
    assert run("disconnect", clinic.clinic_key, data=data, **variables).returncode == 78
    # The app is gone at the vendor, and so is its secret here.
    gone = {name: value for name, value in variables.items() if not name.endswith("CLIENT_SECRET")}
    done = run("disconnect", clinic.clinic_key, "--give-up", data=data, **gone)
    assert done.returncode == 0, done.stderr
    assert "given up" in done.stderr and "has not confirmed" in done.stderr
    assert two.store.revocations.users(clinic) == []
    assert f"clinic.{clinic.clinic_key}.revoked" not in run("doctor", data=data, **variables).stdout
    assert '"disconnect --give-up"' in run("audit", "list", "--json", data=data, **variables).stdout


def test_a_purge_keeps_nothing_of_a_clinic_but_the_grant_that_is_to_be_revoked(two: Connected, run: Run) -> None:
    data, variables = two.settings.data_dir, _variables(two)
    clinic = two.store.clinics.all()[0]
    two.store.refusals.record(clinic, "orders", date(2024, 1, 1), "a reason")
    two.sandbox.control.arm("http_500", endpoint="/oauth/revoke", count=None)
    done = run("purge", "--clinic", clinic.clinic_key, "--disconnect", "--yes", data=data, **variables)
    assert done.returncode == 69
    assert "has not confirmed that the access" in done.stderr
    assert [user.status for user in two.store.revocations.users(clinic)] == ["to_be_revoked"]
    assert two.store.refusals.reason(clinic, "orders", date(2024, 1, 1)) is None
    two.sandbox.control.disarm()
    again = run("purge", "--clinic", clinic.clinic_key, "--disconnect", "--yes", data=data, **variables)
    assert again.returncode == 0
    assert clinic.clinic_key not in {one.clinic_key for one in two.store.clinics.all(with_removed=True)}
