"""What survives a restart: settings, the clock, the apps' credentials, codes and tokens; one private JSON file.

The world is not stored: it is made again from settings and clock. What does not belong here: the rules of OAuth
(`oauth`).
"""

import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.settings import SandboxSettings
from fullscript_pipeline.sandbox.word_lists import REGIONS

STATE_FILE = "state.json"
# Most apps are refused the restricted endpoints; in this world the Canadian server's app is one of the few.
GRANTED_RESTRICTED = frozenset({"ca-snd"})
# Two apps are registered on each server.
PIPELINE, PORTAL = "pipeline", "portal"


@dataclass(kw_only=True)
class App:
    """An app as registered on one server; the last two are for its webhooks."""

    client_id: str
    client_secret: str
    restricted_granted: bool
    challenge_token: str = field(default_factory=partial(secrets.token_urlsafe, 24))
    signature_key: str = field(default_factory=partial(secrets.token_hex, 32))


@dataclass(kw_only=True)
class Code:
    """An authorization code; `expires_at` is real time in seconds since 1970."""

    server: str
    clinic: str
    redirect_uri: str
    expires_at: float
    user: str = ""
    app: str = PIPELINE


@dataclass(kw_only=True)
class TokenPair:
    """An access token with its refresh token.

    `grant` names the authorization that it descends from, `user` the login of who gave it ("": the clinic's owner),
    `app` the app that it was given to.
    """

    access_token: str
    refresh_token: str
    server: str
    clinic: str
    grant: str
    scope: str
    created_at: float
    expires_in: int
    used: bool = False
    refresh_retired: bool = False
    user: str = ""
    app: str = PIPELINE


@dataclass(kw_only=True)
class State:
    """Everything stored. `pairs` by access token, `codes` by code, `apps` and `portal_apps` by server."""

    settings: SandboxSettings
    day: date
    apps: dict[str, App]
    portal_apps: dict[str, App]
    codes: dict[str, Code] = field(default_factory=dict)
    pairs: dict[str, TokenPair] = field(default_factory=dict)

    def app_of(self, name: str, server: str) -> App:
        """The app of this name on one server."""
        return (self.portal_apps if name == PORTAL else self.apps)[server]

    def redirect_uri_of(self, name: str) -> str:
        """Where the app of this name is answered."""
        return self.settings.portal_redirect_uri if name == PORTAL else self.settings.redirect_uri


def new_state(settings: SandboxSettings) -> State:
    """A fresh state with newly made credentials."""
    return State(settings=settings, day=settings.start, apps=_new_apps(), portal_apps=_new_apps())


def _new_apps() -> dict[str, App]:
    return {
        server: App(
            client_id=secrets.token_hex(32),
            client_secret=secrets.token_hex(32),
            restricted_granted=server in GRANTED_RESTRICTED,
        )
        for server in REGIONS
    }


def read_state(directory: Path) -> State | None:
    """The stored state, or None where there is none. Raises SandboxError when the file cannot be understood."""
    path = directory / STATE_FILE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SandboxError(f"The sandbox's state {path} cannot be read ({error.strerror}).") from None
    try:
        stored: dict[str, Any] = orjson.loads(text)
        return State(
            settings=SandboxSettings.from_json(stored["settings"]),
            day=date.fromisoformat(stored["day"]),
            apps={key: App(**row) for key, row in stored["apps"].items()},
            # A world that an earlier version made has none.
            portal_apps={key: App(**row) for key, row in stored.get("portal_apps", {}).items()} or _new_apps(),
            codes={key: Code(**row) for key, row in stored["codes"].items()},
            pairs={key: TokenPair(**row) for key, row in stored["pairs"].items()},
        )
    except (ValueError, KeyError, TypeError):
        raise SandboxError(
            f"The sandbox's state {path} cannot be parsed; move it away to start a fresh world."
        ) from None


def write_state(directory: Path, state: State) -> None:
    """Replaces the stored state at once and durably; the file is readable by its owner only."""
    body: Mapping[str, Any] = {
        "settings": state.settings.to_json(),
        "day": state.day.isoformat(),
        "apps": {key: asdict(app) for key, app in state.apps.items()},
        "portal_apps": {key: asdict(app) for key, app in state.portal_apps.items()},
        "codes": {key: asdict(code) for key, code in state.codes.items()},
        "pairs": {key: asdict(pair) for key, pair in state.pairs.items()},
    }
    write_private(directory, STATE_FILE, body)


def write_private(directory: Path, name: str, body: Mapping[str, Any]) -> None:
    """Replaces a JSON file at once and durably; it is readable by its owner only. Raises SandboxError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=directory, prefix=f".{name}-")  # made with mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(body, option=orjson.OPT_INDENT_2))
                file.flush()
                os.fsync(file.fileno())
            Path(aside).replace(directory / name)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SandboxError(f"The sandbox's directory {directory} cannot be written ({error.strerror}).") from None
