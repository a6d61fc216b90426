"""Sets and drops the portal's cookies: HttpOnly, SameSite=Lax, Secure where the address is https.

What does not belong here: their names (`visitors`), what they hold.
"""

from starlette.responses import Response

from fullscript_pipeline.web.portal import Portal


def set_cookie(portal: Portal, response: Response, name: str, content: str, *, seconds: int | None = None) -> None:
    """Without `seconds` the cookie ends with the browser."""
    response.set_cookie(
        name,
        content,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=portal.configuration.is_https,
    )


def drop_cookie(portal: Portal, response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=portal.configuration.is_https)
