"""One-use codes that open a session of the UI, and the sessions that are open.

The server writes a key of its own at each start, readable by its user only. Whoever can read it makes codes; a browser
exchanges one for a session, whose id is random and says nothing of the key. What does not belong here: HTTP (`guard`).
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from fullscript_pipeline.errors import ConfigurationError, ServiceUnavailable

CODE_SECONDS = 600
_KEY_BYTES = 32
_NONCE_BYTES = 16
_TAG_BYTES = 32
_UNTIL = struct.Struct(">Q")
_MOST_SESSIONS = 200


def new_key(path: Path) -> bytes:
    """Writes a new key, for this start of the server; links made with the one before open nothing any more."""
    key, temporary = secrets.token_bytes(_KEY_BYTES), path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
        temporary.replace(path)
    except OSError as problem:
        raise ConfigurationError(
            f"The UI's key {path} cannot be written ({problem.strerror}): run as the owner of the data directory."
        ) from None
    return key


def read_key(path: Path) -> bytes:
    """The key of the server that runs now. Raises ServiceUnavailable when none does, ConfigurationError for a foreign
    or open file."""
    try:
        status = path.stat()
        key = path.read_bytes()
    except FileNotFoundError:
        raise ServiceUnavailable(
            "No UI runs over this data directory: start it with `fullscript-pipeline ui`."
        ) from None
    except OSError as problem:
        raise ConfigurationError(
            f"The UI's key {path} cannot be read ({problem.strerror}): run as the owner of the data directory."
        ) from None
    if stat.S_IMODE(status.st_mode) & 0o077 or len(key) != _KEY_BYTES:
        raise ConfigurationError(f"The UI's key {path} is not as the server wrote it: start the UI again.")
    return key


def make_code(key: bytes, now: float | None = None) -> str:
    """A code that opens one session within ten minutes."""
    until = _UNTIL.pack(int((time.time() if now is None else now) + CODE_SECONDS))
    body = secrets.token_bytes(_NONCE_BYTES) + until
    return base64.urlsafe_b64encode(body + _tag(key, body)).rstrip(b"=").decode()


def _tag(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, b"fullscript-pipeline ui code" + body, hashlib.sha256).digest()


class SignIns:
    """The sessions of one start of the server; safe for several threads."""

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._key, self._clock = key, clock
        self._lock = threading.Lock()
        self._used: dict[bytes, int] = {}
        self._sessions: dict[str, None] = {}

    def redeem(self, code: str) -> str | None:
        """The id of a new session; None for a code that is forged, too old, or used."""
        try:
            content = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
        except (binascii.Error, ValueError):
            return None
        body, tag = content[:-_TAG_BYTES], content[-_TAG_BYTES:]
        if len(body) != _NONCE_BYTES + _UNTIL.size or not hmac.compare_digest(tag, _tag(self._key, body)):
            return None
        (until,) = _UNTIL.unpack(body[_NONCE_BYTES:])
        now = self._clock()
        with self._lock:
            self._used = {used: end for used, end in self._used.items() if end >= now}
            if not now <= until or body in self._used:
                return None
            self._used[body] = until
            session = secrets.token_urlsafe(32)
            self._sessions[_digest(session)] = None
            while len(self._sessions) > _MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
        return session

    def is_open(self, session: str | None) -> bool:
        """Whether a session of that id was opened since the server started."""
        return session is not None and _digest(session) in self._sessions


def _digest(session: str) -> str:
    return hashlib.sha256(session.encode(errors="replace")).hexdigest()
