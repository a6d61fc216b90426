"""Reads a page the way a reader or a checker does: text, headings, tables, links, ids. Standard library only."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "br", "img", "input", "path", "use", "hr"}


@dataclass
class Page(HTMLParser):
    """A parsed page. `stack_errors` counts tags that do not close as they should."""

    html: str = ""
    text_parts: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)
    stack_errors: int = 0

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self.stack and self.stack[-1] == tag:
            self.stack.pop()
        else:
            self.stack_errors += 1

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack[-1:]:
            self.text_parts.append(data)

    @property
    def text(self) -> str:
        """What a reader sees, spaces folded."""
        return " ".join(" ".join(self.text_parts).split())

    def all(self, *names: str) -> list[dict[str, str]]:
        """Attributes of every element of these names, in order."""
        return [attrs for tag, attrs in self.tags if tag in names]


def read(path: Path) -> Page:
    """The page at `path`."""
    return Page(path.read_text(encoding="utf-8"))
