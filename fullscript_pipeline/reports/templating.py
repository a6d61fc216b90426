"""The Jinja environments of the pages, one per language: autoescaping, cleaned text, one style sheet, its CSP hash.

`{% trans %}`, `_` and `ngettext` of a template translate into the language of its environment. What does not belong
here: the content of a page.
"""

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.status_texts import ON_DARK, VERDICTS


def render(template: str, language: PageLanguage, **values: Any) -> str:
    """The page as text. A missing value is an error, never an empty text."""
    return _environment(language).get_template(template).render(**values)


@cache
def style() -> str:
    """The style sheet: templates/style.css, and a rule per verdict with its colour and icon."""
    plain = resources.files(__package__).joinpath("templates", "style.css").read_text(encoding="utf-8")
    rules = [f".{verdict.key}{{color:{verdict.colour}}}" for verdict in VERDICTS.values()]
    dark = "".join(f".{verdict.key}{{color:{ON_DARK[verdict.colour]}}}" for verdict in VERDICTS.values())
    rules.append(f"@media screen and (prefers-color-scheme:dark){{{dark}}}")
    # Browsers that support the second form keep screen readers from reading the icon.
    rules += [
        f'.{verdict.key}::before{{content:"{verdict.icon} ";content:"{verdict.icon} "/""}}'
        for verdict in VERDICTS.values()
        if verdict.icon
    ]
    lines = [line.strip() for line in plain.splitlines() if line.strip() and not line.strip().startswith("/*")]
    return "".join([*lines, *rules])


@cache
def content_security_policy() -> str:
    """Nothing may load or run; the only style element is allowed by its hash."""
    return f"default-src 'none'; style-src '{_digest(style())}'; img-src data:; base-uri 'none'; form-action 'none'"


@cache
def page_script() -> Markup:
    """The script of A to Z, which searches the page's own rows: templates/search.js."""
    plain = resources.files(__package__).joinpath("templates", "search.js").read_text(encoding="utf-8")
    return Markup(plain.strip())  # noqa: S704 -- our own script


@cache
def policy_with_script() -> str:
    """As `content_security_policy`, but this one script may run."""
    return f"{content_security_policy()}; script-src '{_digest(page_script())}'"


def _digest(inline: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}"


def policy_with_style(css: str) -> str:
    """As `content_security_policy`, but this style of one page may be used too."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return content_security_policy().replace("style-src ", f"style-src 'sha256-{digest}' ")


def _finalize(value: Any) -> Any:
    """Cleans every value of a page: None becomes empty, text loses control and reordering characters."""
    if value is None:
        return ""
    return formatting.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _translate(environment: Environment, language: PageLanguage) -> None:
    """Let templates translate. The sentences are ours; the values in them are cleaned and escaped."""

    def gettext(message: str, /, **values: Any) -> Markup:
        return Markup(language.pattern(message)) % {name: _finalize(value) for name, value in values.items()}  # noqa: S704

    def ngettext(one: str, many: str, number: int, /, **values: Any) -> Markup:
        shown = {"num": language.number(number)} | {name: _finalize(value) for name, value in values.items()}
        return Markup(language.plural_pattern(one, many, number)) % shown  # noqa: S704

    # The extension then calls our functions with the values; it takes what is set before it.
    environment.extend(newstyle_gettext=True)
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.globals.update(gettext=gettext, ngettext=ngettext, _=gettext)


@cache
def _environment(language: PageLanguage) -> Environment:
    environment = Environment(
        loader=PackageLoader("fullscript_pipeline.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    _translate(environment, language)
    environment.globals.update(
        language=language,
        style=Markup(style()),  # noqa: S704 -- our own style sheet
        csp=content_security_policy(),
        day=language.day,
        number=language.number,
        count=counted,
        shorten=formatting.shorten,
        limits_sentence=formatting.LIMITS,
    )
    return environment
