"""Keeps the French catalogue of the pages in step with the sentences they say (`make messages`).

`python -m fullscript_pipeline_tests.helpers.page_messages` adds new sentences without a translation and drops those
that no page says any more; a test holds the catalogue complete. What does not belong here: a translation.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from fullscript_pipeline import reports

ROOM = Path(reports.__file__).parent
CATALOGUE = ROOM / "locales" / "fr" / "LC_MESSAGES" / "pages.po"
_METHODS = [("**.py", "python"), ("**.j2", "jinja2.ext.babel_extract")]
# `newstyle_gettext` writes the placeholders as our templates pass them.
_OPTIONS = {"**.j2": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "translatable": None, "translatable_plural": (1, 2)}


def extracted_messages() -> Catalog:
    """The sentences that the room says now, without translations."""
    catalogue = Catalog(charset="utf-8")
    for filename, _line, message, comments, context in extract_from_dir(
        str(ROOM), method_map=_METHODS, options_map=_OPTIONS, keywords=_KEYWORDS, comment_tags=("Translators:",)
    ):
        catalogue.add(message, None, [(filename, 0)], auto_comments=comments, context=context)
    return catalogue


def french_catalogue() -> Catalog:
    """The catalogue as it is in the repository."""
    return read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="fr_CA")


def updated_catalogue() -> bytes:
    """The French catalogue with exactly the sentences of now, in alphabetical order; translations are kept."""
    catalogue = french_catalogue() if CATALOGUE.exists() else Catalog(locale="fr_CA", charset="utf-8")
    catalogue.update(extracted_messages(), no_fuzzy_matching=True, update_creation_date=False)
    file = io.BytesIO()
    write_po(file, catalogue, width=110, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return file.getvalue()


def main() -> None:
    """Writes the catalogue, and prints how many sentences wait for a translation."""
    CATALOGUE.write_bytes(updated_catalogue())
    waiting = [message.id for message in french_catalogue() if message.id and not all(_strings(message.string))]
    print(f"{CATALOGUE.name}: {len(waiting)} sentences without a French translation.")  # noqa: T201
    for sentence in waiting:
        print(f"  {sentence}")  # noqa: T201


def _strings(translation: object) -> tuple[object, ...]:
    return tuple(translation) if isinstance(translation, (tuple, list)) else (translation,)


if __name__ == "__main__":
    main()
