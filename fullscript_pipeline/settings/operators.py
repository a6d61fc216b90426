"""The settings of the operators' sign-in to the portal, by OpenID Connect.

What does not belong here: the other settings of the portal (`portal`), what operators see (`web`).
"""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from fullscript_pipeline.loopback import is_loopback


def _check_issuer(text: str | None) -> str | None:
    """Raises ValueError for an address over which the client's secret would travel unencrypted."""
    if text and not text.startswith("https://") and not (text.startswith("http://") and is_loopback(text)):
        raise ValueError("must start with https: the client's secret and operators' tokens travel there.")
    return text or None


class OperatorSettings(BaseSettings):
    """Which OpenID provider operators sign in at, and what its roles allow."""

    web_oidc_issuer: Annotated[str | None, AfterValidator(_check_issuer)] = Field(
        None,
        description="address of the OpenID provider at which operators sign in to the portal, exactly as the provider "
        "writes it in its `issuer`; without it only clinicians sign in",
    )
    web_oidc_client_id: str | None = Field(None, description="the portal's client id at that provider")
    web_oidc_client_secret: str | None = Field(None, repr=False, description="the portal's client secret there")
    web_oidc_scopes: str = Field(
        "openid profile",
        description="scopes to request, separated by blanks. Add the one for which the provider gives a refresh token "
        "(often `offline_access`), so that a session can last longer than the provider's access token",
    )
    web_oidc_roles_claim: str = Field(
        "roles",
        description="claim of the ID token (or of userinfo) that lists roles; a dot separates nested names, as in "
        "`realm_access.roles`",
    )
    web_oidc_operator_role: str = Field(
        "fullscript-operator",
        description="role of operators: they may sign in and see catalog, coverage and health, but no patient",
    )
    web_oidc_patient_role: str | None = Field(
        None,
        description="role of operators who may also look at the pages of every clinic's patients; without it no "
        "operator sees a patient",
    )
