"""Renders the portal's own pages, and puts the portal's bar on the pages of the last run.

A page of the last run is shown as it is: its own Content-Security-Policy becomes a header, in which forms and styles of
the portal are allowed too. What does not belong here: who may see a page.
"""

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from fullscript_pipeline.web.gate import POLICY
from fullscript_pipeline.web.language import LANGUAGES, language, translate

_META = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">\n?')
_STYLE = '<link rel="stylesheet" href="/static/portal.css">\n</head>'


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the portal's own. A missing value is an error, never an empty text."""
    if template == "message.html.j2":
        values.setdefault("advice", None)
    return HTMLResponse(_environment().get_template(template).render(**values), status)


def with_bar(html: str, bar: str, after: str = "") -> Response:
    """A page of the last run with the portal's bar before its content, and `after` behind it."""
    found = _META.search(html)
    policy = found.group(1).replace("&#39;", "'") if found else POLICY
    shown = _META.sub("", html, count=1).replace("</head>", _STYLE, 1)
    shown = shown.replace("<body>", f"<body>\n{bar}", 1).replace("</body>", f"{after}</body>", 1)
    return HTMLResponse(shown, headers={"Content-Security-Policy": _for_portal(policy)})


def part(template: str, **values: Any) -> str:
    """A part of a page, as HTML."""
    return _environment().get_template(template).render(**values)


@cache
def static_file(name: str) -> bytes:
    """`pages.css` is the style of the lists of the last run: the portal looks like them."""
    if name == "pages.css":
        folder = Path(__file__).parents[1] / "reports" / "templates"
        return b"".join((folder / sheet).read_bytes() for sheet in ("style.css", "lists.css"))
    return resources.files(__package__).joinpath("static", name).read_bytes()


def _for_portal(policy: str) -> str:
    allowed = policy.replace("style-src ", "style-src 'self' ", 1).replace("form-action 'none'", "form-action 'self'")
    return f"{allowed}; frame-ancestors 'none'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fullscript_pipeline.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= {"_": translate, "language": language, "languages": LANGUAGES}
    return environment
