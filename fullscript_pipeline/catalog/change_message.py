"""A digest as one JSON message for other programs: counts, the changes of each section, a line of text for a chat.

It holds catalog data and masked counts of plans, no health data. What does not belong here: sending it
(`orchestration`), which changes a digest has (digest.py).
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from fullscript_pipeline.catalog.changes import CatalogChange
from fullscript_pipeline.catalog.digest import Digest
from fullscript_pipeline.catalog.formats import delta_text, digest_title, to_jsonl
from fullscript_pipeline.plural import counted

MESSAGE_VERSION = 1
# The changes of a section that a message has; the page and the files have all.
MOST = 100


def message_id(digest: Digest) -> str:
    """The same for the same digest, however often it is written: region, day, and what changed in it."""
    changes = sorted(
        (row.entity, row.entity_id, row.change, row.field or "", row.old_value or "", row.new_value or "")
        for row in digest.rows
    )
    content = hashlib.sha256(repr(changes).encode("utf-8", "replace")).hexdigest()
    return f"{digest.region}-{digest.to_day}-{content[:12]}"


def digest_message(digest: Digest, *, page: str | None, replaces: str | None) -> dict[str, Any]:
    """The message. `page`: the address of the digest's page; `replaces`: the id of an earlier message of this day."""
    sections = [section for section in digest.sections if section.rows]
    return {
        "version": MESSAGE_VERSION,
        "what": "catalog digest",
        "id": message_id(digest),
        "replaces": replaces,
        "region": digest.region,
        "from_day": digest.from_day.isoformat(),
        "to_day": digest.to_day.isoformat(),
        "text": _text(digest, page),
        "page": page,
        "counts": digest.counts,
        "sections": [
            {
                "key": section.key,
                "title": section.title,
                "changes": [_change(row) for row in section.rows[:MOST]],
                "more": max(0, len(section.rows) - MOST),
            }
            for section in sections
        ],
    }


def _change(row: CatalogChange) -> Mapping[str, Any]:
    """The row as JSON Lines have it, with the names and the difference of a price."""
    (line,) = to_jsonl([row])
    names = {"brand_name": row.brand_name, "product_name": row.product_name, "entity_name": row.entity_name}
    values: dict[str, Any] = orjson.loads(line)
    return values | names | {"delta": delta_text(row)}


def _text(digest: Digest, page: str | None) -> str:
    """A line that Slack and others show; the three characters of its markup are escaped."""
    counts = ", ".join(
        f"{section.title.lower()}: {len(section.entries):,}" for section in digest.sections if section.entries
    )
    text = f"{digest_title(digest)}. {counted(len(digest.rows), 'change')} ({counts})."
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{escaped} {page}" if page else escaped
