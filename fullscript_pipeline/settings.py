"""Every environment variable of the project in one typed place (docs/operations.md, "Settings").

`load_settings()` reads the environment and a `.env` file of the current directory; a bad value is a
ConfigurationError that names the variable. What does not belong here: defaults of one room's behaviour (page sizes,
retry counts, ...), anything that talks to a server or opens a file of the data directory (but the note of its key:
`key_record`), and the clock
(`clock.py` reads FULLSCRIPT_NOW itself, from the environment that this module completes).
"""

import os
import shlex
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from fullscript_pipeline import clock, environment
from fullscript_pipeline.adherence_settings import AdherencePolicy, read_policy
from fullscript_pipeline.atomic_files import remove_leftovers, remove_old_spill
from fullscript_pipeline.encryption import key_of_files, key_source
from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.private_files import make_private_folder
from fullscript_pipeline.server_settings import (
    SERVER_NAMES,
    ServerSettings,
    api_url_advice,
    foreign_address_advice,
    read_server,
    variable_of,
)
from fullscript_pipeline.servers import server_at

__all__ = [
    "SERVER_NAMES",
    "AdherencePolicy",
    "ServerSettings",
    "Settings",
    "api_url_advice",
    "encryption_keys",
    "foreign_address_advice",
    "load_settings",
    "server_at",
    "variable_of",
]

WAREHOUSE_FILE = "fullscript.duckdb"
VENDOR_LIMIT_PER_5_MIN = 5000
# What a pull reads only when FULLSCRIPT_EXTRAS says so.
EXTRAS = ("addresses", "templates", "similar_products", "product_search")


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
    adherence: AdherencePolicy = field(default_factory=AdherencePolicy)
    keep_pages_days: int = 0
    # A limit for the step that computes a clinic's adherence rows; only a large clinic comes near it.
    mart_memory_mb: int = 1000
    keep_landing_days: int = 0
    # Copies for analysts: the key to hand out, what pseudonyms are keyed by, and how many must share what is told.
    publish_key: str | None = field(default=None, repr=False)
    publish_pepper: str | None = field(default=None, repr=False)
    publish_k: int = 5
    # Everything that no feed tells of is read again within `sweep_days`; orders of the trailing days every day.
    sweep_days: int = 14
    orders_trailing_days: int = 60
    extras: tuple[str, ...] = ()
    # Where a failed run is told: a program and its arguments, an address.
    on_failure_command: tuple[str, ...] = ()
    on_failure_url: str | None = field(default=None, repr=False)
    # Where every entry of the audit log is handed on: a socket's path or (host, port); a program and its arguments.
    audit_syslog: str | tuple[str, int] | None = None
    audit_command: tuple[str, ...] = ()
    # Deliveries that wait in the webhook inbox; more than these bytes are answered 503.
    webhook_inbox_bytes: int = 500_000_000
    # The Dagster UI: the address that a proxy serves it under; whether it asks for a sign-in of its own.
    ui_url: str | None = None
    ui_sign_in: bool = True

    @property
    def warehouse_key(self) -> str | None:
        """The key that warehouse and landing files are under: the one noted by `keys rotate`, else the list's last.

        Raises ConfigurationError when it is not set, or `keys rotate` was interrupted, Busy while it is under way.
        """
        return key_of_files(self.data_dir, encryption_keys(self.encryption_key))

    @property
    def warehouse_path(self) -> Path:
        return self.data_dir / WAREHOUSE_FILE

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
    def backups_dir(self) -> Path:
        return self.data_dir / "backups"

    @property
    def reports_dir(self) -> Path:
        return self.data_dir / "reports"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster_home"

    @property
    def ui_key_path(self) -> Path:
        return self.data_dir / "ui.key"

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
        encryption key is set (tokens and health data would lie in plain files) or its address is of an unknown host.
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
                f"Server {found.name} holds real patients: set FULLSCRIPT_ENCRYPTION_KEY before using it "
                "(`fullscript-pipeline keys new` prints a good key; keep it outside the data directory)."
            )
        if foreign := found.foreign_address():
            variable, host = foreign
            raise ConfigurationError(
                f"{variable} leads to {host}, which is not the vendor's: the app's secret and the clinics' tokens "
                f"would go there. {foreign_address_advice(variable, host)}"
            )
        return found

    def prepare_data_dir(self) -> None:
        """Create the data directory and its folders, readable by their owner only; sweep what a killed process left.

        Raises ConfigurationError when that is not possible or the directory cannot be written to.
        """
        folders = (self.landing_dir, self.published_dir, self.reports_dir, self.dagster_home, self.sandbox_dir)
        try:
            for folder in (self.data_dir, *folders):
                make_private_folder(folder)
                _keep_private(folder)
            probe = self.data_dir / f".writable-{os.getpid()}"
            probe.touch(mode=0o600)
            probe.unlink()
            remove_leftovers(self.backups_dir)
            remove_old_spill(self.data_dir / "tmp")
        except OSError as problem:
            raise ConfigurationError(
                f"The data directory {self.data_dir} cannot be written to ({problem.strerror}): set "
                "FULLSCRIPT_DATA_DIR to a folder you own, or change its permissions."
            ) from None


def encryption_keys(setting: str | None) -> tuple[str, ...]:
    """The keys in FULLSCRIPT_ENCRYPTION_KEY: one, or several, comma separated, the newest first."""
    return environment.several(setting)


def _keep_private(folder: Path) -> None:
    """Take group and others off a folder of ours, but never off a shared one, a home or the place we run in."""
    found = folder.stat()
    here = Path.cwd()
    common = folder == Path.home() or folder == here or folder in here.parents or bool(found.st_mode & stat.S_ISVTX)
    if not common and found.st_mode & 0o077 and found.st_uid == os.getuid():
        folder.chmod(0o700)


def load_settings() -> Settings:
    """Read the environment, completed from `.env` in the current directory (which never overrides it).

    Raises ConfigurationError naming the variable whose value cannot be used, or the line of `.env` that is no setting.
    """
    environment.complete_from(Path(".env"))
    clock.now()  # a clock that cannot be read is told at once, whatever was asked
    zone = environment.time_zone("FULLSCRIPT_TIME_ZONE")
    return Settings(
        data_dir=environment.folder("FULLSCRIPT_DATA_DIR", "data"),
        encryption_key=key_source.read_key("FULLSCRIPT_ENCRYPTION_KEY"),
        time_zone=zone,
        start_date=_day_that_has_come("FULLSCRIPT_START_DATE", date(2024, 1, 1), clock.today(zone)),
        requests_per_5_min=environment.integer("FULLSCRIPT_REQUESTS_PER_5_MIN", 4750, 1, VENDOR_LIMIT_PER_5_MIN),
        redirect_uri=environment.web_url("FULLSCRIPT_REDIRECT_URI", "http://127.0.0.1:8765/callback"),
        reports_base_url=environment.web_url("FULLSCRIPT_REPORTS_BASE_URL", "").rstrip("/") or None,
        watched_brands=environment.several(environment.text("FULLSCRIPT_WATCHED_BRANDS")),
        servers={name: read_server(name) for name in SERVER_NAMES},
        adherence=read_policy(),
        keep_pages_days=environment.integer("FULLSCRIPT_KEEP_PAGES_DAYS", 0, 0, 36500),
        mart_memory_mb=environment.integer("FULLSCRIPT_MART_MEMORY_MB", 1000, 200, 1_000_000),
        keep_landing_days=environment.integer("FULLSCRIPT_KEEP_LANDING_DAYS", 0, 0, 36500),
        publish_key=environment.text("FULLSCRIPT_PUBLISH_KEY"),
        publish_pepper=environment.text("FULLSCRIPT_PUBLISH_PEPPER"),
        publish_k=environment.integer("FULLSCRIPT_PUBLISH_K", 5, 2, 1000),
        sweep_days=environment.integer("FULLSCRIPT_SWEEP_DAYS", 14, 1, 365),
        orders_trailing_days=environment.integer("FULLSCRIPT_ORDERS_TRAILING_DAYS", 60, 1, 3650),
        extras=_extras("FULLSCRIPT_EXTRAS"),
        on_failure_command=_command("FULLSCRIPT_ON_FAILURE_COMMAND"),
        on_failure_url=environment.web_url("FULLSCRIPT_ON_FAILURE_URL", "") or None,
        audit_syslog=environment.socket_address("FULLSCRIPT_AUDIT_SYSLOG"),
        audit_command=_command("FULLSCRIPT_AUDIT_COMMAND"),
        webhook_inbox_bytes=environment.integer("FULLSCRIPT_WEBHOOK_INBOX_MB", 500, 1, 1_000_000) * 1_000_000,
        ui_url=environment.web_url("FULLSCRIPT_UI_URL", "").rstrip("/") or None,
        ui_sign_in=environment.switch("FULLSCRIPT_UI_SIGN_IN", default=True),
    )


def _day_that_has_come(variable: str, default: date, today: date) -> date:
    """A date up to today. The default may lie ahead of a clock that a test has set back."""
    day = environment.calendar_day(variable, min(default, today))
    if day > today:
        raise ConfigurationError(f"{variable} is {day}, which has not come yet: today is {today}.")
    return day


def _extras(variable: str) -> tuple[str, ...]:
    """What is read only on request. Raises ConfigurationError for a word that is none of EXTRAS."""
    wanted = environment.several(environment.text(variable))
    for one in wanted:
        word, _, query = one.partition(":")
        if word not in EXTRAS or bool(query.strip()) != (word == "product_search"):
            raise ConfigurationError(
                f"{variable} holds {one!r}; it takes {', '.join(EXTRAS)} (written product_search:<query>), separated "
                "by commas."
            )
    return tuple(dict.fromkeys(wanted))


def _command(variable: str) -> tuple[str, ...]:
    """A program and its arguments, split as a shell would, never run by one."""
    try:
        return tuple(shlex.split(environment.text(variable) or ""))
    except ValueError:
        raise ConfigurationError(f"{variable} has a quote that is not closed; write it like a command line.") from None
