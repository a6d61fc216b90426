"""The style of each kind of page: the sheet of all pages, the further ones that its template uses, and its policy.

A page carries only rules that it can use, because many are written. One style is that of a single page: it prints whose
page this is, and "2 of 4", on every sheet, since margin boxes of `@page` take their words from a style sheet only. What
does not belong here: the rules themselves (templates/), the style that a digest has of its own (`digest_page`).
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources

from fullscript_pipeline.reports.formatting import clean, shorten
from fullscript_pipeline.reports.language import PageLanguage
from fullscript_pipeline.reports.status_texts import ON_DARK, VERDICTS

# Files of templates/, beside style.css. `verdicts` also has a rule per verdict with its colour and icon.
_SHEETS = {
    "patient.html.j2": ("verdicts", "cards", "charts", "patient"),
    "clinic.html.j2": ("verdicts", "charts", "lists"),
    "directory.html.j2": ("verdicts", "lists"),
    "clinic_catalog.html.j2": ("cards",),
    "brands.html.j2": ("lists",),
    "products.html.j2": ("lists",),
    "brand.html.j2": ("changes",),
    "digest.html.j2": ("changes", "filter"),
    "digests.html.j2": ("cards",),
    "product.html.j2": ("cards", "charts", "changes"),
    "index.html.j2": (),
}
_LONGEST_PRINTED = 60
_SPECIAL = re.compile("[^0-9A-Za-z]")


@cache
def style_of(template: str) -> str:
    """The style of the pages that this template makes."""
    sheets = _SHEETS[template]
    return "".join([_sheet("style"), *map(_sheet, sheets), _verdict_rules() if "verdicts" in sheets else ""])


@cache
def policy_of(template: str, script: str | None = None) -> str:
    """Nothing may load or run but the template's style and this script; both are allowed by their hashes.

    A style that one page has of its own is added by `allow_style`.
    """
    scripts = f"; script-src '{_digest(script)}'" if script else ""
    style = _digest(style_of(template))
    return f"default-src 'none'; style-src '{style}'; img-src data:; base-uri 'none'; form-action 'none'{scripts}"


def allow_style(policy: str, own_style: str) -> str:
    """The policy with one more style."""
    return policy.replace("style-src ", f"style-src '{_digest(own_style)}' ") if own_style else policy


def printed_header(parts: Sequence[str], language: PageLanguage) -> str:
    """The style that prints these words (clinic, patient, birth date) atop each sheet, and its number at the foot."""
    whose = _css_text(" · ".join(shorten(part, _LONGEST_PRINTED) for part in parts))
    before, _, after = language.gettext("%(page)s of %(pages)s", page="\0", pages="\1").partition("\0")
    middle, _, end = after.partition("\1")
    number = f"{_css_text(before)}counter(page){_css_text(middle)}counter(pages){_css_text(end)}"
    return f"@page{{@top-left{{content:{whose}}}@bottom-right{{content:{number}}}}}"


def _css_text(text: str) -> str:
    """A CSS string: every character but letters and digits of ASCII is escaped, so that no name ends it."""
    escaped = _SPECIAL.sub(lambda found: f"\\{ord(found[0]):x} ", clean(text))
    return f'"{escaped}"'


@cache
def _sheet(name: str) -> str:
    """A style sheet without comments and line breaks."""
    plain = resources.files(__package__).joinpath("templates", f"{name}.css").read_text(encoding="utf-8")
    return "".join(line.strip() for line in plain.splitlines() if not line.strip().startswith("/*"))


@cache
def _verdict_rules() -> str:
    of_colour = {
        colour: ",".join(f".{verdict.key}" for verdict in VERDICTS.values() if verdict.colour == colour)
        for colour in dict.fromkeys(verdict.colour for verdict in VERDICTS.values())
    }
    rules = [f"{classes}{{color:{colour}}}" for colour, classes in of_colour.items()]
    dark = "".join(f"{classes}{{color:{ON_DARK[colour]}}}" for colour, classes in of_colour.items())
    rules.append(f"@media screen and (prefers-color-scheme:dark){{{dark}}}")
    # Browsers that support the second form keep screen readers from reading the icon.
    with_icon = [verdict for verdict in VERDICTS.values() if verdict.icon]
    rules += [f'.{verdict.key}{{--i:"{verdict.icon} "}}' for verdict in with_icon]
    classes = ",".join(f".{verdict.key}" for verdict in with_icon)
    rules.append(f':is({classes})::before{{content:var(--i);content:var(--i)/""}}')
    return "".join(rules)


def _digest(inline: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}"
