"""Every setting, declared once: its type, bounds, default and text. The name is the field's, FULLSCRIPT_ before it.

The table in docs/operations.md, `.env.example` and the names that `doctor` knows are made from these fields
(`make settings-docs`). A field with `repr=False` is a secret. Add a setting here. What does not belong here: how a
text becomes a value (`value_types`), defaults of one room's behaviour (page sizes, retry counts).
"""

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fullscript_pipeline import clock
from fullscript_pipeline.errors import ConfigurationError, UsageError
from fullscript_pipeline.settings.adherence import AdherencePolicy, check_policy
from fullscript_pipeline.settings.data_directory import DataDirectory
from fullscript_pipeline.settings.environment_source import EnvironmentSource
from fullscript_pipeline.settings.messages import MessageSettings
from fullscript_pipeline.settings.operators import OperatorSettings
from fullscript_pipeline.settings.portal import PortalSettings
from fullscript_pipeline.settings.servers import ServerSettings, foreign_address_advice
from fullscript_pipeline.settings.value_types import (
    BaseUrl,
    Command,
    Day,
    Language,
    LogFormat,
    SocketAddress,
    Switch,
    Texts,
    TimeZone,
    WholeNumber,
    check_web_url,
)

VENDOR_LIMIT_PER_5_MIN = 5000
REDIRECT_URI = "http://127.0.0.1:8765/callback"
# What a pull reads only when FULLSCRIPT_EXTRAS says so.
EXTRAS = (
    *("addresses", "templates", "similar_products", "product_search", "custom_dosages"),
    *("product_ingredients", "product_allergens", "product_supplement_types", "product_third_party_certifications"),
)


class Settings(DataDirectory, PortalSettings, OperatorSettings, MessageSettings):
    """What the environment says. `servers` has exactly the keys of SERVER_NAMES."""

    model_config = SettingsConfigDict(frozen=True, validate_default=False, hide_input_in_errors=True)

    servers: Mapping[str, ServerSettings] = Field(default_factory=dict)
    adherence: Annotated[AdherencePolicy, AfterValidator(check_policy)] = AdherencePolicy()
    allowed_api_hosts: Texts = Field(
        (),
        description="host names, comma separated, of a proxy of yours: a production server's two addresses may name "
        "them, besides the vendor's hosts and this machine. The app's secret and the tokens are sent there",
    )
    webhook_challenge_token: str | None = Field(
        None, repr=False, description="the challenge token of every server that has none of its own"
    )
    webhook_signature_keys: Texts = Field(
        (), repr=False, description="the signature keys of every server that has none of its own, comma separated"
    )
    redirect_uri: Annotated[str, AfterValidator(partial(check_web_url, example=REDIRECT_URI))] = Field(
        REDIRECT_URI, description="as configured in the vendor's dashboard"
    )
    time_zone: TimeZone = Field(
        ZoneInfo("UTC"),
        description="the zone that decides which day it is; pages of a clinic without a zone of its own show it too",
    )
    language: Language = Field(
        "en",
        description="the language of pages and their spreadsheets: `en` or `fr`; `clinics set` sets it for one clinic",
    )
    start_date: Day | None = Field(
        None,
        description="the first partition day",
        json_schema_extra={
            "shown_default": "the day of the first connection; `2024-01-01` in a data directory whose first clinic an "
            "earlier version connected"
        },
    )
    requests_per_5_min: WholeNumber = Field(
        4750,
        ge=1,
        le=VENDOR_LIMIT_PER_5_MIN,
        description="request budget per app and server, over all processes (the vendor's limit is 5,000)",
    )
    sweep_days: WholeNumber = Field(
        14,
        ge=1,
        le=365,
        description="objects without events are read again within this many days: plans of all patients, old orders, "
        "details",
    )
    orders_trailing_days: WholeNumber = Field(
        60, ge=1, le=3650, description="the orders of this many past days are listed again every day, to find refunds"
    )
    extras: Texts = Field(
        (),
        description="what is read on request only, comma separated: `addresses` (one request per patient, then a share "
        "a day), `templates` (one per practitioner), `similar_products` (one per product, then a share a day; "
        "restricted), `product_search:<query>` (restricted; one entry per query), `product_ingredients`, "
        "`product_allergens`, `product_supplement_types`, `product_third_party_certifications` (one search per value, "
        "then a share a day; restricted), `custom_dosages` (one per practitioner and product that they recommend, then "
        "a share a day)",
    )
    keep_pages_days: WholeNumber = Field(
        0, ge=0, le=36500, description="keep each day's adherence pages, as a ZIP per clinic, this many days (0: none)"
    )
    keep_landing_days: WholeNumber = Field(
        90,
        ge=0,
        le=36500,
        description="remove landed pages older than this many days, except where a record is in quarantine (0: keep "
        "all; core can be rebuilt from them without another request)",
        json_schema_extra={"shown_default": "90 in a new data directory; `0` in one that an earlier version made"},
    )
    keep_runs_days: WholeNumber = Field(
        60,
        ge=0,
        le=36500,
        description="remove runs and their logs from Dagster's history after this many days, failed ones after three "
        "times as long (0: keep all); what the UI shows of partitions stays",
    )
    publish_key: str | None = Field(
        None,
        repr=False,
        description="the key of published copies: what analysts are given instead of the pipeline's own; `publish "
        "--pseudonymised` and `--deidentified` refuse to run without it",
        json_schema_extra={"shown_default": "the encryption key"},
    )
    publish_pepper: str | None = Field(
        None,
        repr=False,
        description="a text that is hard to guess and is not one of the keys (`keys new` prints a good one): all "
        "pseudonymised copies that are made with one pepper have the same pseudonyms and shifts of dates. Readers must "
        "not have it: with it, the pseudonym of an id can be found",
        json_schema_extra={"shown_default": "random for each copy"},
    )
    publish_k: WholeNumber = Field(
        5,
        ge=2,
        le=1000,
        description="the smallest group in a de-identified copy: at least this many patients share each combination of "
        "values that it groups by (2 to 1,000)",
    )
    mart_memory_mb: WholeNumber = Field(
        1000,
        ge=200,
        le=1_000_000,
        description="memory the step that computes adherence rows may take (at least 200); 10,000 patients need about "
        "400",
    )
    ui_url: BaseUrl | None = Field(
        None,
        description="where a proxy serves the Dagster UI, like `https://dagster.clinic.example`; requests for any "
        "other host name are refused, except for this machine's own",
    )
    ui_sign_in: Switch = Field(
        True,
        description="`off` only where a proxy with a login is in front of the UI: whoever reaches its port can then "
        "start and delete runs",
    )
    pages_contact: Switch | None = Field(
        None,
        description="`on`: pages show e-mail addresses and telephone numbers of patients and their guardians",
        json_schema_extra={"shown_default": "on in a new data directory, off in one that an earlier version made"},
    )
    reports_base_url: BaseUrl | None = Field(None, description="where the pages are served, for links")
    watched_brands: Texts = Field(
        (), description="names or ids, comma separated: brands that get a catalog digest of their own"
    )
    webhook_inbox_mb: WholeNumber = Field(
        500,
        ge=1,
        le=1_000_000,
        description="this much may wait in the webhook inbox; more is answered 503, and the vendor sends it again",
    )
    log_format: LogFormat = Field(
        "text",
        description="`json`: messages of commands, and what happens to a run, its steps and tables, are JSON on "
        "standard error, one object a line, with the run's id; the daemon and the web server that `ui` starts write "
        "Dagster's own JSON to standard output (services: give both the option `--log-format json`, too)",
    )
    metrics_port: WholeNumber = Field(
        0,
        ge=0,
        le=65535,
        description="serve `/metrics` (OpenMetrics: pulls, lag, requests, inbox, token age; no health data) on this "
        "port of loopback, with the UI (0: off); rules for alerts: deploy/alerts.yaml",
    )
    audit_syslog: SocketAddress | None = Field(
        None,
        description="every entry of the audit log is sent there too: a local socket's path (`/dev/log`) or `host:port` "
        "(UDP: delivery is not confirmed)",
    )
    audit_command: Command = Field(
        (),
        description="a program and its arguments, run without a shell for every entry of the audit log: it gets the "
        "entry as JSON on standard input, and of our settings only the data directory, the zone and the clock",
    )
    now: str | None = Field(
        None, description="moves the data's clock; demos and tests only. Every process reads it anew (`clock.py`)"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given in Python comes first, then the environment; nothing else is read."""
        return init_settings, EnvironmentSource(settings_cls)

    @field_validator("start_date")
    @classmethod
    def _check_start_date(cls, day: date | None, info: ValidationInfo) -> date | None:
        today = clock.today(info.data.get("time_zone", ZoneInfo("UTC")))
        if day is not None and day > today:
            raise ValueError(f"is {day}, which has not come yet: today is {today}.")
        return day

    @field_validator("extras")
    @classmethod
    def _check_extras(cls, wanted: tuple[str, ...]) -> tuple[str, ...]:
        for entry in wanted:
            word, _, query = entry.partition(":")
            if word not in EXTRAS or bool(query.strip()) != (word == "product_search"):
                raise ValueError(
                    f"holds {entry!r}; it takes {', '.join(EXTRAS)} (written product_search:<query>), separated by "
                    "commas."
                )
        return tuple(dict.fromkeys(wanted))

    @property
    def webhook_inbox_bytes(self) -> int:
        """Deliveries that wait in the webhook inbox may take this much; more is answered 503."""
        return self.webhook_inbox_mb * 1_000_000

    def server(self, env: str) -> ServerSettings:
        """Return the server called `env` in any case, with `-` or `_`. Raises UsageError for an unknown one."""
        name = env.strip().lower().replace("_", "-")
        if name not in self.servers:
            raise UsageError(f"There is no server {env!r}; the servers are {', '.join(self.servers)}.")
        return self.servers[name]

    def require_app(self, server: ServerSettings | str) -> ServerSettings:
        """Return the server when requests may be sent to it.

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
