"""Connects a clinic (a user signs in at Fullscript, which redirects back with a code), and disconnects it.

This module prints nothing: the command line shows `authorize_url`, calls `wait` or `paste`, and reports the result. A
callback is answered with 200 only after the clinic and its grant are stored. What does not belong here: the web server
(`oauth_callback_server`), the token calls (`oauth`), renewals (`tokens`).
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from fullscript_pipeline.api.address_check import check_api_address, check_sign_in_page
from fullscript_pipeline.api.clinic_identity import ClinicRef, Grant
from fullscript_pipeline.api.connect_store import ConnectStore
from fullscript_pipeline.api.errors import ConnectRefused, FullscriptError, InvalidGrant
from fullscript_pipeline.api.fixed_token import FixedToken
from fullscript_pipeline.api.http import HttpClient
from fullscript_pipeline.api.oauth import GrantedTokens, TokenEndpoint, authorize_url
from fullscript_pipeline.api.oauth_callback_server import CallbackServer, PageAnswer
from fullscript_pipeline.api.scopes import missing_read_scopes, write_scopes
from fullscript_pipeline.api.session import ClinicSession
from fullscript_pipeline.settings import ServerSettings, Settings

WAIT_SECONDS = 600.0  # as long as the state lives
_POLL_SECONDS = 0.5
_log = logging.getLogger(__name__)

_REFUSALS = {
    "unknown": "This sign-in was not started here (its state is unknown)",
    "used": "This sign-in was used already",
    "expired": "This sign-in is more than ten minutes old",
}


@dataclass(frozen=True, kw_only=True)
class ConnectResult:
    """The connected clinic and user, and the scopes. `missing_read_scopes`: what each missing scope costs, in words."""

    clinic: ClinicRef
    user_id: str
    user_type: str
    scopes: tuple[str, ...]
    missing_read_scopes: Mapping[str, str]
    write_scopes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DisconnectResult:
    """The result of a disconnect.

    `not_revoked`: why the server may still accept the tokens, in words (None: they are revoked), with the exit code.
    """

    clinic: ClinicRef
    not_revoked: str | None
    exit_code: int = 0


class ConnectFlow:
    """One attempt to connect to `server`: enter it (`with`), show `authorize_url`, `wait`; or `paste` without `with`.

    Raises ConfigurationError if the app is not set up, or the data directory is for the other kind of servers.
    """

    def __init__(self, settings: Settings, store: ConnectStore, server: ServerSettings | str) -> None:
        self._settings, self._store, self._server = settings, store, settings.require_app(server)
        store.facts.set_environment_kind("production" if self._server.is_production else "sandbox")
        self.authorize_url = authorize_url(
            self._server, settings.redirect_uri, store.tokens.new_oauth_state(self._server.name)
        )
        self._outcome: ConnectResult | Exception | None = None
        self._done = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._listener: CallbackServer | None = None

    def check_addresses(self) -> None:
        """Checks, before a person signs in, that it can work.

        Raises WrongAddress or AppRefused if it certainly cannot.
        """
        check_api_address(self._server)
        check_sign_in_page(self._server, self._settings.redirect_uri)

    def __enter__(self) -> Self:
        self._listener = CallbackServer(self._settings.redirect_uri, self._callback, self._after_callback)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()

    def wait(self, timeout: float = WAIT_SECONDS) -> ConnectResult:
        """Waits for the user's callback and returns the result. A foreign callback is rejected, and the wait continues.

        Raises ConnectRefused if the user denies access, no callback arrives within `timeout` seconds, or the server
        rejects the code. Raises errors of `api.errors` if the server fails.
        """
        until = time.monotonic() + timeout
        # Waits in short pieces: if two signals arrive at once, both may go to the server thread and not wake this one.
        while not self._done.wait(min(_POLL_SECONDS, timeout)) and time.monotonic() < until:
            pass
        if not self._done.is_set():
            raise ConnectRefused(
                f"Nobody signed in at {self._server.name} within {timeout:.0f} s: run `fullscript-pipeline connect "
                f"{self._server.name}` again."
            )
        if isinstance(self._outcome, ConnectResult):
            return self._outcome
        raise self._outcome or ConnectRefused("The sign-in ended without an answer: run `connect` again.")

    def paste(self, redirected_url: str) -> ConnectResult:
        """Returns the result for a redirect URL that the user pasted. Raises as `wait` does."""
        expected, pasted = urlsplit(self._settings.redirect_uri), urlsplit(redirected_url.strip())
        if (expected.scheme, expected.netloc, expected.path) != (pasted.scheme, pasted.netloc, pasted.path):
            raise ConnectRefused(
                "The pasted text is not the address the sign-in came back to: copy the whole address from the browser, "
                "it starts with FULLSCRIPT_REDIRECT_URI."
            )
        return self._complete(pasted.query)

    def _callback(self, query: str) -> PageAnswer:
        """Handles a callback; returns the status and text of the page. Only a callback with our state ends the wait."""
        with self._one_at_a_time:
            try:
                connected = self._complete(query)
            except _ForeignCallback as problem:
                _log.warning("a sign-in was refused: %s", problem)
                return 400, str(problem)
            except Exception as problem:  # any error belongs to the waiting thread, not to the server thread
                self._outcome = problem
                status = 400 if isinstance(problem, ConnectRefused | InvalidGrant) else 502
                return status, f"{_for_page(problem)} Go back to the terminal."
            self._outcome = connected
            return 200, f"{connected.clinic.name or connected.clinic.clinic_key} is connected. You may close this page."

    def _after_callback(self) -> None:
        if self._outcome is not None:
            self._done.set()

    def _complete(self, query: str) -> ConnectResult:
        """Checks the callback, then stores the clinic and its grant."""
        return connect_with_code(self._settings, self._store, self._server, self._checked_code(query))

    def _checked_code(self, query: str) -> str:
        """Returns the code of a callback with a valid state: ours, unused, not expired.

        A state can be checked only once.
        """
        values = parse_qs(query, keep_blank_values=True, max_num_fields=50)
        if len(values.get("state", [])) != 1 or len(values.get("code", [])) > 1:
            raise _ForeignCallback(
                "This sign-in carries no state of ours: start it from `fullscript-pipeline connect`."
            )
        verdict = self._store.tokens.use_oauth_state(self._server.name, values["state"][0])
        if verdict != "ok":
            raise _ForeignCallback(
                f"{_REFUSALS[verdict]}: run `fullscript-pipeline connect {self._server.name}` again."
            )
        if "error" in values:
            denied = values["error"] == ["access_denied"]
            what = "The user did not allow the access" if denied else "The server ended the sign-in with an error"
            raise ConnectRefused(f"{what}: nothing was connected on {self._server.name}.")
        if not values.get("code", [""])[0]:
            raise ConnectRefused("The sign-in came back without a code: run `connect` again.")
        return values["code"][0]


class _ForeignCallback(ConnectRefused):
    """A callback that does not belong to this attempt; the right one may still arrive."""


def connect_with_code(
    settings: Settings, store: ConnectStore, server: ServerSettings, code: str, *, clinic_id: str | None = None
) -> ConnectResult:
    """Exchanges the code of a sign-in, reads the clinic, and stores the clinic and its grant.

    `clinic_id`: the only clinic that may be connected; access to another one is revoked. Raises ConnectRefused if the
    server rejects the code, or for another clinic, and errors of `api.errors` if the server fails.
    """
    budget = store.budgets.of_app(server.name, server.client_id or "", settings.requests_per_5_min)
    with HttpClient() as client:
        endpoint = TokenEndpoint(server, settings.redirect_uri, client, budget)
        answer = _exchange_code(endpoint, code)
        nobody = ClinicRef(
            server=server.name, clinic_id=answer.clinic_id or "", clinic_key="(connecting)", region=server.region
        )
        session = ClinicSession(
            nobody, server.api_url, client=client, tokens=FixedToken(answer.access_token), budget=budget
        )
        record = session.fetch_object("clinic").record
        if clinic_id is not None and str(record["id"]) != clinic_id:
            endpoint.revoke(answer.access_token, nobody.clinic_key)
            raise ConnectRefused("Somebody of another clinic has approved the access: nothing was connected.")
        visible = _patients_visible(session, answer)
    name = record.get("name") if isinstance(record.get("name"), str) else None
    clinic = store.clinics.register(server.name, str(record["id"]), server.region, name)
    store.tokens.save_grant(clinic, _grant(answer, visible))
    return ConnectResult(
        clinic=clinic,
        user_id=answer.user_id or "",
        user_type=answer.user_type or "",
        scopes=answer.scopes,
        missing_read_scopes=missing_read_scopes(answer.scopes),
        write_scopes=write_scopes(answer.scopes),
    )


def _exchange_code(endpoint: TokenEndpoint, code: str) -> GrantedTokens:
    try:
        return endpoint.exchange_code(code)
    except InvalidGrant as problem:
        raise ConnectRefused(
            f"The server does not take the code of this sign-in (X-Request-Id {problem.request_id}): it is "
            "used or too old. Run `connect` again."
        ) from None


def disconnect(
    settings: Settings, store: ConnectStore, clinic: ClinicRef, user_id: str | None = None
) -> DisconnectResult:
    """Revokes the access of a clinic, or of one of its users, at the server, then deletes the tokens.

    The tokens are not used from the start. Tokens that the server does not confirm as revoked stay stored, so that the
    next call can revoke them. Raises ConfigurationError if the app is not set up or the tokens cannot be decrypted,
    UsageError for an unknown user.
    """
    server = settings.require_app(clinic.server)
    budget = store.budgets.of_app(server.name, server.client_id or "", settings.requests_per_5_min)
    not_revoked: FullscriptError | None = None
    with HttpClient() as client, store.tokens.grant_lock(clinic):
        endpoint = TokenEndpoint(server, settings.redirect_uri, client, budget)
        for grant in store.revocations.start_revoking(clinic, user_id):
            try:
                endpoint.revoke(grant.access_token, clinic.clinic_key)
            except FullscriptError as problem:
                store.revocations.record_not_revoked(clinic, grant.user_id, str(problem))
                not_revoked = problem
            else:
                store.revocations.forget_grant(clinic, grant.user_id)
    if not_revoked is None:
        return DisconnectResult(clinic=clinic, not_revoked=None)
    return DisconnectResult(
        clinic=clinic,
        not_revoked=f"The server has not confirmed that the access of clinic {clinic.clinic_key} is revoked: its "
        "tokens are not used any more and kept to be revoked. Run "
        f"`fullscript-pipeline disconnect {clinic.clinic_key}` again, or remove the app in the Fullscript web app and "
        f"then run it. {not_revoked}",
        exit_code=not_revoked.exit_code,
    )


def _patients_visible(session: ClinicSession, answer: GrantedTokens) -> int | None:
    """The number of patients that this user sees; of several users of a clinic, the one who sees most is used."""
    if "patients:read" in missing_read_scopes(answer.scopes):
        return None
    try:
        return next(session.pages("patients", params={"patient_type": "all"}, page_size=1)).total_count
    except FullscriptError:
        return None


def _grant(answer: GrantedTokens, patients_visible: int | None) -> Grant:
    return Grant(
        user_id=answer.user_id or "",
        user_type=answer.user_type or "",
        scopes=answer.scopes,
        obtained_at=answer.obtained_at,
        expires_at=answer.expires_at,
        access_token=answer.access_token,
        refresh_token=answer.refresh_token,
        patients_visible=patients_visible,
    )


def _for_page(problem: Exception) -> str:
    return str(problem) if isinstance(problem, ConnectRefused) else "The connection could not be completed."
