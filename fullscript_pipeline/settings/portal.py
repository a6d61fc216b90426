"""The settings of the portal, to which clinicians sign in with Fullscript.

What does not belong here: the portal's app on each server (`servers`), and what the portal does with them (`web`).
"""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from fullscript_pipeline.loopback import is_loopback
from fullscript_pipeline.settings.value_types import BaseUrl, Switch, Texts, WholeNumber

PORTAL_URL = "http://127.0.0.1:8768"
PATIENTS = ("own", "clinic")
PLAIN, SEALED = "plain", "sealed"


def _check_portal_url(text: str) -> str:
    """Raises ValueError for an address over which cookies of a session would travel unencrypted."""
    if text.startswith("http:") and not is_loopback(text):
        raise ValueError("must start with https: the sessions of clinicians travel on it.")
    return text


def _check_patients(text: str) -> str:
    if text not in PATIENTS:
        raise ValueError(f"is {text!r}; set it to {' or '.join(PATIENTS)}.")
    return text


def _check_pages(text: str) -> str:
    if text not in (PLAIN, SEALED):
        raise ValueError(f"is {text!r}; set it to {PLAIN} or {SEALED}.")
    return text


def _check_proxies(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for proxy in proxies:
        try:
            network = ip_network(proxy)
        except ValueError:
            raise ValueError(
                f"holds {proxy!r}; it takes addresses and networks like 10.0.0.5 or 10.0.0.0/24."
            ) from None
        if network.prefixlen == 0:
            raise ValueError(f"holds {proxy!r}: then whoever sends a request could say that it is another's.")
    return proxies


class PortalSettings(BaseSettings):
    """Where the portal is, how it seals what it stores, who sees whom, how long a session lasts."""

    web_url: Annotated[BaseUrl, AfterValidator(_check_portal_url)] = Field(
        PORTAL_URL,
        description="where clinicians reach the portal (`web serve`), like `https://portal.clinic.example`; with "
        "`/callback` it is the redirect URI of the portal's app",
    )
    web_key: str | None = Field(
        None,
        repr=False,
        description="seals what the portal stores (users' tokens, notes); several, comma separated, the newest first, "
        "while it is rotated. It must not be the encryption key; `keys new` prints a good one",
    )
    pages: Annotated[str, AfterValidator(_check_pages)] = Field(
        PLAIN,
        description="`sealed`: pages and spreadsheets of clinics are written encrypted with `FULLSCRIPT_WEB_KEY`, and "
        "only the portal opens them; `plain`: anybody who may read the folder can open them",
    )
    web_patients: Annotated[str, AfterValidator(_check_patients)] = Field(
        "own",
        description="which patients a user of the portal sees: `own` (those that Fullscript lists to that user) or "
        "`clinic` (all of the clinic)",
    )
    web_proxies: Annotated[Texts, AfterValidator(_check_proxies)] = Field(
        ("127.0.0.1",),
        description="addresses and networks, comma separated, of the proxies in front of the portal: only their "
        "`X-Forwarded-For` is believed; requests and sign-ins are limited by the client's address that it names",
        json_schema_extra={"shown_default": "`127.0.0.1`"},
    )
    web_drafts: Switch = Field(
        False,
        description="`on`: a patient's page offers to make a draft plan in Fullscript (scope `clinic:write`), which "
        "may create a patient record there and send a mail",
    )
    web_clinics: Texts = Field(
        (),
        description="ids of clinics, comma separated, whose users may connect them in the portal; others need an "
        "invitation (`web invite`)",
    )
    web_idle_minutes: WholeNumber = Field(
        20, ge=1, le=720, description="a session of the portal ends after this many minutes without a request"
    )
    web_session_hours: WholeNumber = Field(
        12, ge=1, le=24, description="a session of the portal ends after this many hours"
    )
