"""The two secrets of a copy for analysts: the key of its file, and the pepper of its pseudonyms.

A person who receives the key must be able neither to compute the pseudonyms nor to open the warehouse. What does not
belong here: settings (`settings`), hashing (`pseudonymise`).
"""

import hashlib
import hmac
import logging
import secrets

from fullscript_pipeline.encryption import is_guessable
from fullscript_pipeline.errors import ConfigurationError
from fullscript_pipeline.settings import Settings, encryption_keys

_log = logging.getLogger(__name__)


def own_key(settings: Settings, level: str) -> str:
    """The key that analysts receive.

    Raises ConfigurationError if there is none, if it is a key of the pipeline, or if it can be guessed and the data are
    of real patients.
    """
    make = "`fullscript-pipeline keys new` prints a good one"
    if not settings.publish_key:
        raise ConfigurationError(
            f"A copy made with --{level} is encrypted with a key of its own, the one to hand out: set "
            f"FULLSCRIPT_PUBLISH_KEY ({make})."
        )
    if settings.publish_key in encryption_keys(settings.encryption_key):
        raise ConfigurationError(
            f"FULLSCRIPT_PUBLISH_KEY is the pipeline's own key, and who is given a copy made with --{level} could open "
            f"everything with it: set another ({make})."
        )
    _require_hard_to_guess(settings, "FULLSCRIPT_PUBLISH_KEY", settings.publish_key, "the copy be read")
    return settings.publish_key


def pepper(settings: Settings, *, lasting: bool) -> str:
    """The key of the pseudonyms: from FULLSCRIPT_PUBLISH_PEPPER, else random for one copy.

    Raises ConfigurationError if the setting contains a key or is part of one, or if it can be guessed and the data are
    of real patients; with `lasting`, also if it is missing.
    """
    configured = settings.publish_pepper
    if not configured:
        if lasting:
            raise ConfigurationError(
                "Shifted dates need FULLSCRIPT_PUBLISH_PEPPER, a long random text that is kept: without it each copy "
                "is shifted anew, and several copies together tell the true dates."
            )
        return secrets.token_hex(32)
    _require_hard_to_guess(settings, "FULLSCRIPT_PUBLISH_PEPPER", configured, "the pseudonyms be undone")
    keys = [key for key in (settings.publish_key, *encryption_keys(settings.encryption_key)) if key]
    if any(key in configured or configured in key for key in keys):
        raise ConfigurationError(
            "FULLSCRIPT_PUBLISH_PEPPER is, or holds, a key: who has that key could undo the pseudonyms. Set it to "
            "another random text."
        )
    return hmac.new(configured.encode(), b"published ids", hashlib.sha256).hexdigest()


def _require_hard_to_guess(settings: Settings, variable: str, secret: str, consequence: str) -> None:
    """Raises ConfigurationError for a weak secret if the data are of real patients; otherwise logs a warning."""
    if not is_guessable(secret):
        return
    weak = f"{variable} can be guessed, and {consequence} by trying: `fullscript-pipeline keys new` prints a good one."
    if any(server.is_production and server.client_id for server in settings.servers.values()):
        raise ConfigurationError(weak)
    _log.warning(weak)
