"""What a machine can run out of: disk, memory, open files; each told in a sentence that says what to do.

What does not belong here: how much of the disk is whose (`health.volume`), DuckDB's own memory limit (`warehouse`).
"""

import errno
import resource

from fullscript_pipeline.errors import ConfigurationError

# A run holds the databases, 8 connections and Dagster's files open; 40 were enough for pages, 60 for a pull.
_FEWEST_FILES = 96
_ENOUGH_FILES = 1_024
_DISK = (
    "The disk is full, or cannot be written: free some space (`fullscript-pipeline doctor` says what takes it), then "
    "run the command again; what had been stored stays stored."
)
_MEMORY = (
    "The machine has no memory left for this process: end other programs or raise the container's memory limit, then "
    "run the command again; what had been stored stays stored."
)
_FILES = (
    f"This process may not open more files: allow it at least {_ENOUGH_FILES} (`ulimit -n {_ENOUGH_FILES}`; "
    "LimitNOFILE of a systemd unit, ulimits of a container), then run the command again."
)
# In words of DuckDB and SQLite, which hand on what the system said. SQLite on a full disk says the last of the first
# when it cannot make the file beside its own.
_WORDS = {
    _DISK: ("disk is full", "No space left on device", "disk I/O error"),
    _MEMORY: ("Cannot allocate memory", "bad allocation", "can't start new thread"),
    _FILES: ("Too many open files",),
}
_NUMBERS = {
    errno.ENOSPC: _DISK,
    errno.EDQUOT: _DISK,
    errno.ENOMEM: _MEMORY,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}


def shortage_error(error: BaseException | None) -> ConfigurationError | None:
    """What the machine ran out of, when that is at the root of `error`; None for anything else."""
    while error is not None:
        if isinstance(error, MemoryError):
            return ConfigurationError(_MEMORY)
        if isinstance(error, OSError) and error.errno in _NUMBERS:
            return ConfigurationError(_NUMBERS[error.errno])
        for sentence, words in _WORDS.items():
            if any(phrase in str(error) for phrase in words):
                return ConfigurationError(sentence)
        error = error.__cause__ or error.__context__
    return None


def allow_open_files(enough: int = _ENOUGH_FILES) -> None:
    """Takes as many open files as a run may need, where the system lets us. Raises ConfigurationError where not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, -1) or soft >= enough:
        return
    limit = enough if hard in (resource.RLIM_INFINITY, -1) else min(hard, enough)
    if limit < _FEWEST_FILES:
        raise ConfigurationError(f"{_FILES} The limit is {limit} now.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
