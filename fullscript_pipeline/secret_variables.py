"""Which environment variables hold our secrets, and how programs that are not ours are started without them.

What does not belong here: reading settings (`settings`).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# What the names of our secrets hold; an address may carry a token.
_SECRET_WORDS = ("SECRET", "KEY", "TOKEN", "PEPPER", "PASSWORD", "ON_FAILURE_URL", "ON_RECOVERY_URL", "ON_CHANGE_URL")
# Addresses of our own stores: they may hold a password, and are none to keep out of a `.env` that others may read.
_ADDRESSES = frozenset(
    {
        "FULLSCRIPT_STATE_URL",
        "FULLSCRIPT_WAREHOUSE_URL",
        "FULLSCRIPT_RUNNER",
        "DAGSTER_HISTORY_URL",
        "DAGSTER_RUNS_BROKER",
    }
)


def is_secret(name: str) -> bool:
    """Return whether the variable of this name holds a secret of ours. A file's name or a command is none."""
    word = name.removesuffix("_FILE").removesuffix("_COMMAND")
    return word == name and name.startswith("FULLSCRIPT_") and any(secret in name for secret in _SECRET_WORDS)


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a program that is not ours: all but our secrets, which it does not need."""
    return {name: value for name, value in variables.items() if not _is_hidden(name)}


def _is_hidden(name: str) -> bool:
    return is_secret(name) or name in _ADDRESSES


@contextmanager
def hidden_secrets() -> Iterator[None]:
    """Keep our secrets out of os.environ within the block: for what starts a program and takes no environment."""
    hidden = {name: value for name, value in os.environ.items() if _is_hidden(name)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)
