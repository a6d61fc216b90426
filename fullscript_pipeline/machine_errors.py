"""What the machine does to a process: exhausted disk, memory and open files as messages, and signals to stop.

What does not belong here: what uses the disk (`health.volume`), DuckDB's own memory limit (`warehouse`).
"""

import errno
import resource

from fullscript_pipeline.errors import ConfigurationError

# A run has the databases, 8 connections and Dagster's files open; 40 were enough for pages, 60 for a pull.
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
# Phrases in messages of DuckDB and SQLite, which pass on the system's message. On a full disk, SQLite reports a disk
# I/O error if it cannot create its second file.
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
    """The error for an exhausted resource, if that is a cause of `error`; None otherwise."""
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


def stop_signal_in(error: BaseException | None) -> BaseException | None:
    """The interruption that `error` stands for, if any: DuckDB raises RuntimeError when a signal ends a query."""
    while error is not None:
        if not isinstance(error, (Exception, GeneratorExit)):
            return error
        error = error.__cause__ or error.__context__
    return None


def allow_open_files(enough: int = _ENOUGH_FILES) -> None:
    """Raises the limit of open files to what a run needs. Raises ConfigurationError if the system allows too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, -1) or soft >= enough:
        return
    limit = enough if hard in (resource.RLIM_INFINITY, -1) else min(hard, enough)
    if limit < _FEWEST_FILES:
        raise ConfigurationError(f"{_FILES} The limit is {limit} now.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
