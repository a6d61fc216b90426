"""The webhook endpoints of the configured servers: paths and secrets.

What does not belong here: HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fullscript_pipeline.encryption import guessable
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import ServerSettings, Settings, encryption_keys
from fullscript_pipeline.state import StateStore


@dataclass(frozen=True, kw_only=True)
class WebhookEndpoint:
    """The webhook endpoint of a server. `path` holds a secret; only `server` may be shown or logged."""

    server: str
    path: str = field(repr=False)
    challenge: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)


def configured_endpoints(settings: Settings, store: StateStore) -> tuple[list[WebhookEndpoint], list[str]]:
    """Returns an endpoint per server with complete webhook settings, and a sentence per server with incomplete ones.

    The secret of the path is the same after a restart. Raises ConfigurationError if no server is configured.
    """
    kind = store.facts.get("kind")
    endpoints: list[WebhookEndpoint] = []
    notes: list[str] = []
    for server in settings.servers.values():
        if not server.webhook_challenge_token and not server.webhook_signature_keys:
            continue
        if problem := _problem(server, settings, kind):
            notes.append(f"Webhooks of {server.name} are not received: {problem}.")
            continue
        path = f"/hooks/{store.inbox.webhook_path()}/{server.name}"
        keys = tuple(key.encode() for key in server.webhook_signature_keys)
        endpoints.append(
            WebhookEndpoint(server=server.name, path=path, challenge=server.webhook_challenge_token or "", keys=keys)
        )
    if not endpoints:
        raise ConfigurationError(_nothing(notes))
    return endpoints, notes


def _problem(server: ServerSettings, settings: Settings, kind: str | None) -> str | None:
    if not server.webhook_challenge_token:
        return f"set {server.variable('WEBHOOK_CHALLENGE_TOKEN')}"
    if not server.webhook_signature_keys:
        return f"set {server.variable('WEBHOOK_SIGNATURE_KEYS')}"
    if server.is_production and not settings.encryption_key:
        return "they hold data of real patients; set FULLSCRIPT_ENCRYPTION_KEY"
    if server.is_production and kind is None and (weak := guessable(encryption_keys(settings.encryption_key))):
        return (
            f"they hold data of real patients, and {weak} can be guessed; `fullscript-pipeline keys new` prints another"
        )
    if kind is not None and kind != ("production" if server.is_production else "sandbox"):
        return f"the data directory is for {kind} servers; set FULLSCRIPT_DATA_DIR to another one"
    return None


def _nothing(notes: Sequence[str]) -> str:
    if notes:
        return " ".join(notes)
    return (
        "No server's webhooks are set up: set FULLSCRIPT_<ENV>_WEBHOOK_CHALLENGE_TOKEN and "
        "FULLSCRIPT_<ENV>_WEBHOOK_SIGNATURE_KEYS (from the webhook settings in the vendor's API dashboard), ENV being "
        "US, CA, US_SND or CA_SND."
    )
