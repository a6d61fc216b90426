"""Every environment variable of the project in one typed place (docs/architecture.md, "Settings").

`load_settings()` reads the environment and a `.env` file of the current directory; a bad value is a
ConfigurationError that names the variable. What does not belong here: defaults of one room's behaviour (page sizes,
retry counts, ...), anything that talks to a server or opens a file of the data directory, and the clock
(`clock.py` reads FULLSCRIPT_NOW itself, from the environment that this module completes).
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import load_dotenv

from fullscript_pipeline import clock
from fullscript_pipeline.errors import ConfigurationError, UsageError

Region = Literal["us", "ca"]

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
VENDOR_LIMIT_PER_5_MIN = 5000

# (API, authorize page) as the vendor documents them, the default first. Its pages disagree: the API reference says
# fullscript.io, a newer page fullscript.com for production; and the sandboxes' authorize page is shown in two places.
# Whoever sets FULLSCRIPT_<ENV>_API_URL to one of them gets the authorize page of the same family, and the reverse.
_VENDOR_URLS: dict[str, tuple[tuple[str, str], ...]] = {
    "us": (
        ("https://api-us.fullscript.io/api", "https://api-us.fullscript.io/oauth/authorize"),
        ("https://api-us.fullscript.com/api", "https://api-us.fullscript.com/api/oauth/authorize"),
    ),
    "ca": (
        ("https://api-ca.fullscript.io/api", "https://api-ca.fullscript.io/oauth/authorize"),
        ("https://api-ca.fullscript.com/api", "https://api-ca.fullscript.com/api/oauth/authorize"),
    ),
    "us-snd": (
        ("https://api-us-snd.fullscript.io/api", "https://us-snd.fullscript.io/oauth/authorize"),
        ("https://api-us-snd.fullscript.io/api", "https://api-us-snd.fullscript.io/api/oauth/authorize"),
    ),
    "ca-snd": (
        ("https://api-ca-snd.fullscript.io/api", "https://ca-snd.fullscript.io/oauth/authorize"),
        ("https://api-ca-snd.fullscript.io/api", "https://api-ca-snd.fullscript.io/api/oauth/authorize"),
    ),
}
SERVER_NAMES = tuple(_VENDOR_URLS)


@dataclass(frozen=True)
class ServerSettings:
    """One of the vendor's four servers and our app on it. Secrets stay out of the repr."""

    name: str
    region: Region
    is_production: bool
    client_id: str | None
    client_secret: str | None = field(repr=False)
    api_url: str
    authorize_url: str
    webhook_challenge_token: str | None = field(default=None, repr=False)
    webhook_signature_keys: tuple[str, ...] = field(default=(), repr=False)

    def variable(self, suffix: str) -> str:
        """The environment variable of this server that ends in `suffix`: `CLIENT_ID` -> FULLSCRIPT_US_SND_CLIENT_ID."""
        return f"FULLSCRIPT_{self.name.upper().replace('-', '_')}_{suffix}"


@dataclass(frozen=True)
class AdherencePolicy:
    """The thresholds of the adherence method (docs/adherence-method.md), whole days; all are printed on the pages.

    `threshold` is the exact share of days covered that counts as adherent (PQA, CMS: 80 %).
    """

    threshold: Fraction = Fraction(4, 5)
    # A gap exactly this long does not end an episode (OMOP drug era, AdhereR compute.treatment.episodes).
    permissible_gap_days: int = 30
    # PQA primary medication non-adherence: not obtained within 30 days.
    never_ordered_days: int = 30
    # Days from an order to the day its supply can be used; orders carry only the day they were completed.
    delivery_lag_days: int = 0
    minimum_window_days: int = 30
    due_soon_days: int = 7
    late_days: int = 7
    long_gap_days: int = 30


@dataclass(frozen=True)
class Settings:
    """What the environment says. `servers` has exactly the keys of SERVER_NAMES; `data_dir` is absolute."""

    data_dir: Path
    time_zone: ZoneInfo
    start_date: date
    requests_per_5_min: int
    redirect_uri: str
    reports_base_url: str | None
    watched_brands: tuple[str, ...]
    servers: Mapping[str, ServerSettings]
    encryption_key: str | None = field(default=None, repr=False)
    adherence: AdherencePolicy = AdherencePolicy()
    keep_pages_days: int = 0

    @property
    def warehouse_key(self) -> str | None:
        """The key that warehouse and landing files are made with: the last of a comma separated list.

        `keys rotate` puts the tokens under the first key of the list; the files stay under the one they have.
        """
        keys = encryption_keys(self.encryption_key)
        return keys[-1] if keys else None

    @property
    def warehouse_path(self) -> Path:
        return self.data_dir / "fullscript.duckdb"

    @property
    def state_path(self) -> Path:
        return self.data_dir / "state.sqlite"

    @property
    def landing_dir(self) -> Path:
        return self.data_dir / "landing"

    @property
    def published_dir(self) -> Path:
        return self.data_dir / "published"

    @property
    def reports_dir(self) -> Path:
        return self.data_dir / "reports"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster_home"

    @property
    def sandbox_dir(self) -> Path:
        return self.data_dir / "sandbox"

    def server(self, env: str) -> ServerSettings:
        """The server called `env` in any case, with `-` or `_`. Raises UsageError for an unknown one."""
        name = env.strip().lower().replace("_", "-")
        if name not in self.servers:
            raise UsageError(f"There is no server {env!r}; the servers are {', '.join(self.servers)}.")
        return self.servers[name]

    def require_app(self, server: ServerSettings | str) -> ServerSettings:
        """The server, ready to be talked to.

        Raises ConfigurationError when its client id or secret is missing, or when it is a production server and no
        encryption key is set (tokens and health data would lie in plain files).
        """
        found = self.server(server) if isinstance(server, str) else server
        missing = [
            found.variable(suffix)
            for suffix, value in (("CLIENT_ID", found.client_id), ("CLIENT_SECRET", found.client_secret))
            if not value
        ]
        if missing:
            raise ConfigurationError(
                f"The app on server {found.name} is not set up: set {' and '.join(missing)} (from the vendor's API "
                "dashboard) in the environment or in .env."
            )
        if found.is_production and not self.encryption_key:
            raise ConfigurationError(
                f"Server {found.name} holds real patients: set FULLSCRIPT_ENCRYPTION_KEY (any long random text, kept "
                "outside the data directory) before using it."
            )
        return found

    def prepare_data_dir(self) -> None:
        """Create the data directory and its folders, readable by their owner only.

        Raises ConfigurationError when that is not possible or the directory cannot be written to.
        """
        folders = (self.landing_dir, self.published_dir, self.reports_dir, self.dagster_home, self.sandbox_dir)
        try:
            for folder in (self.data_dir, *folders):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _keep_private(folder)
            probe = self.data_dir / f".writable-{os.getpid()}"
            probe.touch(mode=0o600)
            probe.unlink()
        except OSError as problem:
            raise ConfigurationError(
                f"The data directory {self.data_dir} cannot be written to ({problem.strerror}): set "
                "FULLSCRIPT_DATA_DIR to a folder you own, or change its permissions."
            ) from None


def encryption_keys(setting: str | None) -> tuple[str, ...]:
    """The keys in FULLSCRIPT_ENCRYPTION_KEY: one, or several, comma separated, the newest first."""
    return _several(setting)


def _keep_private(folder: Path) -> None:
    """Take group and others off a folder of ours, but never off a shared one, a home or the place we run in."""
    found = folder.stat()
    here = Path.cwd()
    common = folder == Path.home() or folder == here or folder in here.parents or bool(found.st_mode & stat.S_ISVTX)
    if not common and found.st_mode & 0o077 and found.st_uid == os.getuid():
        folder.chmod(0o700)


def load_settings() -> Settings:
    """Read the environment, completed from `.env` in the current directory (which never overrides it).

    Raises ConfigurationError naming the variable whose value cannot be used.
    """
    dotenv = Path(".env")
    try:
        # Into os.environ, because the clock, Dagster and child processes read their variables from there. No
        # interpolation: a secret may hold a dollar sign.
        load_dotenv(dotenv, override=False, interpolate=False)
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"The file {dotenv.absolute()} cannot be read as text; fix or remove it.") from None
    clock.now()  # a clock that cannot be read is told at once, whatever was asked
    return Settings(
        data_dir=Path(_text("FULLSCRIPT_DATA_DIR") or "data").expanduser().absolute(),
        encryption_key=_encryption_key(),
        time_zone=_time_zone("FULLSCRIPT_TIME_ZONE"),
        start_date=_date("FULLSCRIPT_START_DATE", date(2024, 1, 1)),
        requests_per_5_min=_integer("FULLSCRIPT_REQUESTS_PER_5_MIN", 4750, 1, VENDOR_LIMIT_PER_5_MIN),
        redirect_uri=_url("FULLSCRIPT_REDIRECT_URI", "http://127.0.0.1:8765/callback"),
        reports_base_url=_url("FULLSCRIPT_REPORTS_BASE_URL", "").rstrip("/") or None,
        watched_brands=_several(_text("FULLSCRIPT_WATCHED_BRANDS")),
        servers={name: _server(name) for name in SERVER_NAMES},
        adherence=_adherence(),
        keep_pages_days=_integer("FULLSCRIPT_KEEP_PAGES_DAYS", 0, 0, 36500),
    )


def _adherence() -> AdherencePolicy:
    usual = AdherencePolicy()
    percent = _integer("FULLSCRIPT_ADHERENCE_THRESHOLD_PERCENT", int(usual.threshold * 100), 1, 100)
    policy = AdherencePolicy(
        threshold=Fraction(percent, 100),
        permissible_gap_days=_integer("FULLSCRIPT_PERMISSIBLE_GAP_DAYS", usual.permissible_gap_days, 0, 3650),
        never_ordered_days=_integer("FULLSCRIPT_NEVER_ORDERED_DAYS", usual.never_ordered_days, 1, 3650),
        delivery_lag_days=_integer("FULLSCRIPT_DELIVERY_LAG_DAYS", usual.delivery_lag_days, 0, 90),
        minimum_window_days=_integer("FULLSCRIPT_MINIMUM_WINDOW_DAYS", usual.minimum_window_days, 1, 3650),
        due_soon_days=_integer("FULLSCRIPT_DUE_SOON_DAYS", usual.due_soon_days, 0, 365),
        late_days=_integer("FULLSCRIPT_LATE_DAYS", usual.late_days, 1, 3650),
        long_gap_days=_integer("FULLSCRIPT_LONG_GAP_DAYS", usual.long_gap_days, 1, 3650),
    )
    if policy.late_days > policy.long_gap_days:
        raise ConfigurationError(
            f"FULLSCRIPT_LATE_DAYS ({policy.late_days}) lies above FULLSCRIPT_LONG_GAP_DAYS "
            f"({policy.long_gap_days}); a supply is late before its gap is long."
        )
    return policy


def _server(name: str) -> ServerSettings:
    prefix = f"FULLSCRIPT_{name.upper().replace('-', '_')}_"
    is_production = not name.endswith("-snd")
    api_url, authorize_url = _vendor_urls(name, _text(f"{prefix}API_URL"), _text(f"{prefix}AUTHORIZE_URL"))
    keys = _text(f"{prefix}WEBHOOK_SIGNATURE_KEYS") or _text("FULLSCRIPT_WEBHOOK_SIGNATURE_KEYS") or ""
    return ServerSettings(
        name=name,
        region="ca" if name.startswith("ca") else "us",
        is_production=is_production,
        client_id=_text(f"{prefix}CLIENT_ID"),
        client_secret=_text(f"{prefix}CLIENT_SECRET"),
        api_url=_url(f"{prefix}API_URL", api_url, encrypted=is_production).rstrip("/"),
        authorize_url=_url(f"{prefix}AUTHORIZE_URL", authorize_url, encrypted=is_production),
        webhook_challenge_token=_text(f"{prefix}WEBHOOK_CHALLENGE_TOKEN")
        or _text("FULLSCRIPT_WEBHOOK_CHALLENGE_TOKEN"),
        webhook_signature_keys=_several(keys),
    )


def _vendor_urls(name: str, api_url: str | None, authorize_url: str | None) -> tuple[str, str]:
    """The family of vendor URLs that what is set belongs to; the first one otherwise."""
    families = _VENDOR_URLS[name]
    given = {url.rstrip("/") for url in (api_url, authorize_url) if url}
    return next((family for family in families if given and given <= set(family)), families[0])


def _several(text: str | None) -> tuple[str, ...]:
    """The parts of a comma separated text."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _text(variable: str) -> str | None:
    return os.environ.get(variable, "").strip() or None


def _encryption_key() -> str | None:
    """The key itself, or the content of the file that FULLSCRIPT_ENCRYPTION_KEY_FILE names."""
    path = _text("FULLSCRIPT_ENCRYPTION_KEY_FILE")
    if (key := _text("FULLSCRIPT_ENCRYPTION_KEY")) or not path:
        return key
    try:
        if Path(path).stat().st_mode & 0o077:
            raise ConfigurationError(
                f"The key file {path} (FULLSCRIPT_ENCRYPTION_KEY_FILE) can be read by other users: chmod 600 it."
            )
        key = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        key = None
    if not key:
        raise ConfigurationError(
            f"The key file {path} (FULLSCRIPT_ENCRYPTION_KEY_FILE) is missing, empty or unreadable."
        )
    return key


def _time_zone(variable: str) -> ZoneInfo:
    name = _text(variable) or "UTC"
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            f"{variable} is {name!r}, which is not a time zone; write it like America/Toronto."
        ) from None


def _date(variable: str, default: date) -> date:
    text = _text(variable)
    try:
        return date.fromisoformat(text) if text else default
    except ValueError:
        raise ConfigurationError(f"{variable} is {text!r}, which is not a date; write it like 2024-01-01.") from None


def _integer(variable: str, default: int, lowest: int, highest: int) -> int:
    text = _text(variable) or str(default)
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(highest)) else lowest - 1
    if not lowest <= value <= highest:
        raise ConfigurationError(f"{variable} is {text!r}; set a whole number from {lowest} to {highest}.")
    return value


def _url(variable: str, default: str, *, encrypted: bool = False) -> str:
    """An http(s) URL with a host. `encrypted` insists on https outside loopback: tokens travel on it."""
    text = _text(variable) or default
    if not text:
        return text
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in text):
        # The value is not repeated: a pasted URL may carry credentials.
        raise ConfigurationError(f"{variable} is not an http(s) URL; write it like {default or 'https://host/path'}.")
    if encrypted and parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise ConfigurationError(f"{variable} must start with https: a production server's tokens travel on it.")
    return text
