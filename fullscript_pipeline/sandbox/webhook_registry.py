"""What the webhook sender remembers: who wants which events, what is due, what was attempted; one private JSON file.

What does not belong here: sending (`sender`).
"""

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from fullscript_pipeline.sandbox.errors import SandboxError
from fullscript_pipeline.sandbox.store import write_private
from fullscript_pipeline.sandbox.word_lists import REGIONS
from fullscript_pipeline.sandbox.world import Record

HOOKS_FILE = "webhooks.json"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
EVERYTHING = ("*",)
OPTIONS = frozenset({"server", "url", "events", "duplicates", "disorder", "timeout", "seed"})


@dataclass(kw_only=True)
class Hook:
    """A server's one endpoint for webhooks. Moments are the world's, in ISO form.

    `duplicates`: the share of events that are sent again (one to five times); `disorder`: not in the order of events.
    """

    server: str
    url: str
    since: str
    events: list[str] = field(default_factory=lambda: list(EVERYTHING))
    duplicates: float = 0.0
    disorder: bool = False
    timeout: float = 2.0
    seed: int = 0
    failing_since: str | None = None
    disabled: str | None = None

    def wants(self, event_type: str) -> bool:
        """Whether it is subscribed to events of a type."""
        return "*" in self.events or event_type in self.events


@dataclass(order=True, kw_only=True)
class Attempt:
    """The next attempt to deliver an event, and when it is due; ordered by that."""

    due: str
    order: int
    number: int
    clinic: str
    event_id: str


@dataclass(kw_only=True)
class HookBook:
    """The hooks by server, the attempts that are still to be made, and the deliveries by clinic."""

    directory: Path
    hooks: dict[str, Hook] = field(default_factory=dict)
    waiting: list[Attempt] = field(default_factory=list)
    deliveries: dict[str, list[Record]] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path) -> "HookBook":
        """The stored book, or an empty one. Raises SandboxError when the file cannot be parsed."""
        try:
            stored: dict[str, Any] = orjson.loads((directory / HOOKS_FILE).read_bytes())
            return cls(
                directory=directory,
                hooks={server: Hook(**hook) for server, hook in stored["hooks"].items()},
                waiting=[Attempt(**attempt) for attempt in stored["waiting"]],
                deliveries=stored["deliveries"],
            )
        except FileNotFoundError:
            return cls(directory=directory)
        except (OSError, ValueError, KeyError, TypeError):
            raise SandboxError(f"{directory / HOOKS_FILE} cannot be parsed; move it away.") from None

    def write(self) -> None:
        """Stores the hooks and the attempts that wait. Raises SandboxError."""
        body = {
            "hooks": {server: asdict(hook) for server, hook in self.hooks.items()},
            "waiting": [asdict(attempt) for attempt in self.waiting],
            "deliveries": self.deliveries,
        }
        write_private(self.directory, HOOKS_FILE, body)

    def register(self, options: dict[str, Any], now: datetime) -> Hook:
        """Makes the hook that `given` describes, not yet kept. Raises SandboxError."""
        if unknown := options.keys() - OPTIONS:
            raise SandboxError(f"A webhook has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(OPTIONS))}.")
        server, url = options.get("server"), options.get("url")
        if server not in REGIONS:
            raise SandboxError(f"There is no server {server!r}; there are {', '.join(REGIONS)}.")
        if not isinstance(url, str) or urlsplit(url).hostname not in LOOPBACK:
            raise SandboxError(
                "The sandbox sends webhooks to this machine only; give a url like http://127.0.0.1:9000/x."
            )
        kinds = {hook_field.name: hook_field.type for hook_field in fields(Hook)}
        for name, option in options.items():
            fits = isinstance(option, list) if name == "events" else isinstance(option, str | int | float)
            if not fits or (kinds[name] in {float, int} and isinstance(option, str)):
                raise SandboxError(f"A webhook's {name} cannot be {option!r}.")
        return Hook(since=now.isoformat(), **options)
