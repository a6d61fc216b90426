"""Checks each connected clinic: whether its grant works, what it may read, how old its token is.

What does not belong here: requests to the server. Using a token may rotate it, and health checks change nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from fullscript_pipeline import clock
from fullscript_pipeline.api import APP_REFUSED, Grant, missing_read_scopes, write_scopes
from fullscript_pipeline.errors import ConfigurationError, NeedsConnect, PipelineError
from fullscript_pipeline.health.finding import Finding, failed, failed_by, passed, skipped
from fullscript_pipeline.plural import counted
from fullscript_pipeline.state import TO_BE_REVOKED, Clinic, ClinicUser, StateStore

_FAILED_WITHIN = timedelta(hours=1)


def check_connected(store: StateStore | None, *, has_data: bool) -> Iterator[Finding]:
    """One finding when no clinic is connected. `has_data`: there is a warehouse, so a clinic was connected before."""
    if store and store.clinics.all():
        return
    if store and store.clinics.all(with_removed=True):
        what, fix = "every clinic was disconnected", "To pull again, run `fullscript-pipeline connect` for each clinic."
        yield failed("clinics.connected", what, fix, NeedsConnect.exit_code)
    elif has_data and store and store.facts.has_had_clinics():
        what = "every clinic was purged"
        fix = "To pull again, run `fullscript-pipeline connect`. If nothing here is needed, delete the data directory."
        yield failed("clinics.connected", what, fix, NeedsConnect.exit_code)
    elif has_data:
        yield failed(
            "clinics.connected",
            "no clinic is connected, but there is a warehouse: the state store was lost",
            "Run `fullscript-pipeline restore` with a backup of both; or `connect` the clinics again: their rows are "
            "found by the vendor's ids.",
            NeedsConnect.exit_code,
        )
    else:
        yield skipped("clinics.connected", "no clinic is connected; `fullscript-pipeline connect` connects one")


def check_clinics(store: StateStore) -> Iterator[Finding]:
    """Two findings for every clinic, and one for each clinic with a revocation that is not confirmed."""
    for clinic in store.clinics.all():
        try:
            yield from _check_grant(store, clinic)
        except PipelineError as error:
            yield failed_by(f"clinic.{clinic.clinic_key}.token", error)
    for clinic in store.revocations.clinics_to_disconnect():
        unrevoked = [user for user in store.revocations.users(clinic) if user.status == TO_BE_REVOKED]
        if unrevoked:
            yield _not_revoked(clinic, unrevoked)


def _not_revoked(clinic: Clinic, unrevoked: Sequence[ClinicUser]) -> Finding:
    users = ", ".join(
        f"user {user.user_id or '(unknown)'} since {user.changed_at:%Y-%m-%d %H:%M} UTC" for user in unrevoked
    )
    reason = next((user.reason for user in unrevoked if user.reason), "the request to revoke did not complete")
    return failed(
        f"clinic.{clinic.clinic_key}.revoked",
        f"the server has not confirmed that a disconnected access is revoked ({users}): {reason}",
        f"Run `fullscript-pipeline disconnect {clinic.clinic_key}` again, or remove the app in the Fullscript web app "
        "and then run it. If it can never be confirmed, because the app is deleted at the vendor: `disconnect "
        f"{clinic.clinic_key} --give-up`.",
    )


def _check_grant(store: StateStore, clinic: Clinic) -> Iterator[Finding]:
    token, scopes = f"clinic.{clinic.clinic_key}.token", f"clinic.{clinic.clinic_key}.scopes"
    grant = store.tokens.load_grant(clinic)
    connect = f"Run `fullscript-pipeline connect {clinic.server}` and sign in as a user of that clinic."
    if grant is None or clinic.status != "ok":
        reason = clinic.status_reason or "it has no working grant"
        yield failed(token, f"needs a connect: {reason}", connect, NeedsConnect.exit_code)
        yield skipped(scopes, "no working grant")
        return
    failure = store.tokens.token_failure(clinic, _FAILED_WITHIN.total_seconds())
    if failure is not None and failure.status in APP_REFUSED:
        app = f"FULLSCRIPT_{clinic.server.upper().replace('-', '_')}_CLIENT"
        fix = f"Check {app}_ID and {app}_SECRET against the vendor's API dashboard, then pull again."
        request = f"status {failure.status}, X-Request-Id {failure.request_id or 'not given'}"
        yield failed(token, f"the server does not accept the app ({request})", fix, ConfigurationError.exit_code)
    elif failure is not None:
        what = f"the last renewal failed at the server (status {failure.status or 'none'}, X-Request-Id "
        yield failed(token, f"{what}{failure.request_id or 'not given'})", "Run the pull again; no connect is needed.")
    else:
        users = sum(user.status == "ok" for user in store.revocations.users(clinic))
        yield passed(token, _describe_token(grant, users))
    yield _check_scopes(scopes, grant, connect)


def _describe_token(grant: Grant, users: int) -> str:
    now = clock.real_now()
    age, left = now - grant.obtained_at, grant.expires_at - now
    ends = f"expires in {_format_duration(left)}" if left > timedelta() else "expired; it is renewed at the next use"
    unproven = "; not used yet, so the previous refresh token is kept" if grant.previous_refresh_token else ""
    more = f"; {users} users connected" if users > 1 else ""
    return f"token of {grant.user_type or 'a user'}, {_format_duration(age)} old, {ends}{unproven}{more}"


def _check_scopes(check: str, grant: Grant, connect: str) -> Finding:
    missing = missing_read_scopes(grant.scopes)
    unneeded = write_scopes(grant.scopes)
    if missing:
        costs = "; ".join(f"no {scope}: {cost}" for scope, cost in missing.items())
        return failed(check, costs, f"Give the app these scopes in the vendor's dashboard. {connect}")
    if not grant.scopes:
        return passed(check, "the server does not report the token's scopes; a pull shows what it refuses")
    hint = f"; {', '.join(unneeded)} could be removed from the app" if unneeded else ""
    return passed(check, f"has all scopes that the pipeline reads with{hint}")


def _format_duration(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else counted(minutes // (24 * 60), "day")
