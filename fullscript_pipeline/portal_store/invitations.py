"""Signed invitations: whoever has the link may connect one clinic, once, until its day.

The signature is an HMAC with a key derived from FULLSCRIPT_WEB_KEY. That an invitation was used is recorded in the
queue (`requests`). What does not belong here: the address of the link.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from fullscript_pipeline.portal_store.sealing import derived_key

_PURPOSE = b"portal invitation"


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """`ends_s`: until when it counts, in seconds since 1970. The id is no secret."""

    invitation_id: str
    server: str
    ends_s: float


def make_invitation(keys: Sequence[str], *, server: str, ends_s: float) -> str:
    """The text of a new invitation, signed with the newest key."""
    content = {"id": secrets.token_hex(8), "server": server, "ends": int(ends_s)}
    body = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    return f"{body}.{_signature(keys[0], body)}"


def read_invitation(keys: Sequence[str], text: str, *, now: float) -> Invitation | None:
    """None: it was not signed with one of the keys, or is over."""
    body, _, signature = text.partition(".")
    if not any(hmac.compare_digest(_signature(key, body).encode(), signature.encode()) for key in keys):
        return None
    try:
        content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        invitation = Invitation(
            invitation_id=str(content["id"]), server=str(content["server"]), ends_s=float(content["ends"])
        )
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
    return invitation if invitation.ends_s > now else None


def _signature(key: str, body: str) -> str:
    return hmac.new(derived_key(key, _PURPOSE), body.encode(errors="replace"), hashlib.sha256).hexdigest()
