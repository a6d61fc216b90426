"""Validates Atom feeds by the schema of RFC 4287 (atom.rng), and by what its text asks beyond the schema.

What does not belong here: what a feed of ours says.
"""

from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"


@cache
def _schema() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(Path(__file__).with_name("atom.rng")))


def parse_valid_feed(content: bytes) -> etree._Element:
    """The root of the feed. Raises AssertionError for a document that is not a valid feed."""
    root = etree.fromstring(content)
    assert _schema().validate(root), _schema().error_log.last_error
    assert root.tag == f"{ATOM}feed"
    entries = root.findall(f"{ATOM}entry")
    authors = root.findall(f"{ATOM}author")
    assert authors or all(entry.find(f"{ATOM}author") is not None for entry in entries)
    for entry in entries:
        relations = [link.get("rel", "alternate") for link in entry.findall(f"{ATOM}link")]
        assert "alternate" in relations or entry.find(f"{ATOM}content") is not None
    ids = [found.text or "" for found in root.iter(f"{ATOM}id")]
    assert len(ids) == len(set(ids)), "ids are unique"
    assert all(urlsplit(found).scheme for found in ids), "ids are absolute"
    relations = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in root.findall(f"{ATOM}link")]
    assert len(relations) == len(set(relations)), "one alternate for each type and language"
    return root


def links(element: etree._Element, relation: str) -> list[str]:
    """The addresses of the links of an element with this relation."""
    return [link.get("href") for link in element.findall(f"{ATOM}link") if link.get("rel") == relation]
