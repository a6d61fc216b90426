"""The Jinja environments of the pages, one per language: autoescaping, cleaned text, translated sentences, scripts.

`{% trans %}`, `_` and `ngettext` of a template translate into the language of its environment. What does not belong
here: the content of a page, and its style (page_styles.py).
"""

from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fullscript_pipeline.plural import counted
from fullscript_pipeline.reports import formatting
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.page_styles import allow_style, policy_of, style_of


def render(
    template: str, language: PageLanguage, *, own_style: str = "", script: Markup | None = None, **values: Any
) -> str:
    """The page as text. A missing value is an error, never an empty text.

    `own_style`: what this one page has beside the style of its kind. `script`: the only one that may run.
    """
    return (
        _environment(language)
        .get_template(template)
        .render(
            style=Markup(style_of(template)),  # noqa: S704 -- our own style sheets
            own_style=Markup(own_style),  # noqa: S704 -- its texts are escaped
            csp=allow_style(policy_of(template, script), own_style),
            script=script,
            **values,
        )
    )


@cache
def page_script() -> Markup:
    """The script of a list that searches the page's own rows: templates/search.js."""
    return _script("search.js")


@cache
def filter_script() -> Markup:
    """The script of a page of changes, which searches and counts its rows: templates/filter.js."""
    return _script("filter.js")


def _script(name: str) -> Markup:
    plain = resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
    return Markup(plain.strip())  # noqa: S704 -- our own script


def _finalize(value: Any) -> Any:
    """Cleans every value of a page: None becomes empty, text loses control and reordering characters."""
    if type(value) is str:  # markup is a subclass, and clean already
        return formatting.clean(value)
    return "" if value is None else value


def _translate(environment: Environment, language: PageLanguage) -> None:
    """Let templates translate. The sentences are ours; the values in them are cleaned and escaped."""

    @cache
    def sentence(message: str) -> Markup:
        return Markup(language.pattern(message)) % {}  # noqa: S704

    def gettext(message: str, /, **values: Any) -> Markup:
        if not values:
            return sentence(message)
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
        day=language.day,
        number=language.number,
        count=counted,
        shorten=formatting.shorten,
        limits_sentence=formatting.LIMITS,
    )
    return environment
