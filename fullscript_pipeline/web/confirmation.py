"""Whether somebody who is signed in still may be: asked where they signed in, every ten minutes of an open session.

What does not belong here: finding the session of a request (`visitors`), signing in.
"""

from fullscript_pipeline.api import AuthError, FullscriptError, ScopeError
from fullscript_pipeline.errors import NeedsConnect
from fullscript_pipeline.web.fullscript_app import clinic_id_of
from fullscript_pipeline.web.portal import Portal
from fullscript_pipeline.web.session_locks import session_lock
from fullscript_pipeline.web.sessions import PortalSession

CHECK_SECONDS = 600
# A user who could not be confirmed for this long is signed out.
UNCONFIRMED_SECONDS = 900


def confirm_session(portal: Portal, session: PortalSession) -> PortalSession | None:
    """The session as it is now; None: it was ended, because the user may not sign in any more."""
    age = portal.now() - session.checked_s
    if age < CHECK_SECONDS:
        return session
    with session_lock(f"check {session.key}"):
        now = portal.sessions.of_key(session.key)
        if now is None or portal.now() - now.checked_s < CHECK_SECONDS:
            return now
        answer = _confirms_operator(portal, now) if now.is_operator else _confirms_clinician(portal, now)
        if answer is None and age < UNCONFIRMED_SECONDS:
            return now
        if answer:
            return portal.sessions.of_key(session.key)
        portal.sessions.close(session.key)
    portal.audit.append(
        "signed out",
        session.user,
        why=f"{'the provider' if session.is_operator else 'Fullscript'} does not confirm the user",
    )
    return None


def _confirms_clinician(portal: Portal, session: PortalSession) -> bool | None:
    """None: Fullscript does not answer."""
    app = portal.apps.get(session.user.server)
    if app is None:
        return False
    tokens = app.tokens_of(portal.sessions, session.key, portal.now)
    try:
        is_same = clinic_id_of(app.reader(tokens, session.user.clinic_key)) == session.user.clinic_id
    except (AuthError, ScopeError, NeedsConnect):
        return False
    except FullscriptError:
        return None
    if is_same:
        portal.sessions.record_check(session.key)
    return is_same


def _confirms_operator(portal: Portal, session: PortalSession) -> bool | None:
    """None: the provider does not answer. A role that was given or taken counts from now on."""
    provider, tokens = portal.operators, portal.sessions.tokens(session.key)
    app = portal.configuration.operators
    if provider is None or app is None or tokens is None:
        return False
    from fullscript_pipeline.web.openid_provider import ProviderDown, SignInRefused  # noqa: PLC0415 - the extra `web`

    try:
        operator = provider.confirm(tokens, session.user.user_id)
    except SignInRefused:
        return False
    except ProviderDown:
        return None
    portal.sessions.replace_tokens(session.key, operator.tokens)
    if operator.roles is None:
        portal.sessions.record_check(session.key)
        return True
    portal.sessions.record_check(session.key, sees_everybody=app.patient_role in operator.roles)
    return app.operator_role in operator.roles
