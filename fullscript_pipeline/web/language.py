"""The portal's own words in French: the English sentence is the key, as in the catalogues of the pages.

A user's choice is in a cookie; without one the browser's languages decide. What does not belong here: the pages of the
last run, which are in the clinic's language.
"""

import re
from contextvars import ContextVar

from starlette.datastructures import Headers

from fullscript_pipeline.web.french import FRENCH

COOKIE = "portal_language"
LANGUAGES = {"en": "English", "fr": "Français"}
_NUMBER = re.compile(r"\d+")
_chosen: ContextVar[str] = ContextVar("language", default="en")


def use_language_of(headers: Headers, cookies: dict[str, str]) -> None:
    """Sets the language of the request that is answered now."""
    wanted = cookies.get(COOKIE, "")
    if wanted not in LANGUAGES:
        accepted = headers.get("accept-language", "").lower().replace(" ", "").split(",")
        first = next((tag[:2] for tag in accepted if tag[:2] in LANGUAGES), "en")
        wanted = first
    _chosen.set(wanted)


def language() -> str:
    """`en` or `fr`, of the request that is answered now."""
    return _chosen.get()


def translate(text: str, **values: object) -> str:
    """The sentence in the request's language, with the values in it; English where there is no other."""
    chosen = FRENCH.get(text, text) if _chosen.get() == "fr" else text
    return chosen.format(**values) if values else chosen


def translate_told(text: str) -> str:
    """A sentence that the pipeline has told the portal; it may hold one number."""
    number = _NUMBER.search(text)
    if text in FRENCH or number is None:
        return translate(text)
    return translate(_NUMBER.sub("{count}", text, count=1), count=number[0])
